import { readFile, readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, relative, sep } from 'node:path';
import type { FieldNames, RawRow, ReadResult, RowProblem } from '../row.ts';
import { parseEmail } from './email.ts';
import { readCsvRows, readJsonlRows } from './table.ts';

/** How rows are stored. */
export type SourceFormat = 'csv' | 'jsonl' | 'text' | 'email';

/** What to read and how. */
export interface ReadOptions {
  /** Absent or `auto`: from the file's name. */
  readonly format?: SourceFormat | 'auto';
  readonly fields?: FieldNames;
  /** For folders: the label of each file whose path starts with the key; files under no key are left out. */
  readonly folders?: Readonly<Record<string, string>>;
}

/** All files under a path, relative to it, in code-unit order. */
async function listFiles(path: string): Promise<readonly string[]> {
  if ((await stat(path)).isFile()) return [''];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(path, join(entry.parentPath, entry.name)).split(sep).join('/'));
  return files.sort((left, right) => (left < right ? -1 : 1));
}

function detectFormat(file: string): SourceFormat | undefined {
  const extension = extname(file).toLowerCase();
  if (extension === '.csv' || extension === '.tsv') return 'csv';
  if (extension === '.jsonl' || extension === '.ndjson') return 'jsonl';
  if (extension === '.txt') return 'text';
  if (extension === '.eml') return 'email';
  return undefined;
}

/** The label that a file's folder gives it, or undefined where the file does not count. */
function labelOf(file: string, folders: ReadOptions['folders']): string | undefined {
  if (folders === undefined) {
    const folder = dirname(file);
    return folder === '.' ? undefined : basename(folder);
  }
  // The longest key that fits wins, so that `mail/spam` can stand beside `mail`.
  const key = Object.keys(folders)
    .filter((prefix) => file.startsWith(`${prefix}/`) || file.includes(`/${prefix}/`))
    .sort((a, b) => b.length - a.length)[0];
  return key === undefined ? undefined : folders[key];
}

function readDocument(
  file: string,
  text: string,
  format: 'text' | 'email',
  label: string | undefined,
): RawRow {
  const place = { file, line: 1 };
  const named = label === undefined ? {} : { label };
  if (format === 'text') return { text, place, ...named };
  const { subject, body } = parseEmail(text);
  return { text: `${subject}\n${body}`, place, ...named };
}

/** A split that a file's name stands for, as Hugging Face's data sets name files. */
function splitOf(file: string): RawRow['split'] {
  const match = /(?:^|[/_.-])(train|validation|valid|dev|test)(?:[_.-][^/]*)?\.[a-z]+$/i
    .exec(file)?.[1]
    ?.toLowerCase();
  return match === undefined ? undefined : match === 'train' || match === 'test' ? match : 'validation';
}

/**
 * Reads a file or a folder of files into rows; every problem is collected, none stops the reading.
 *
 * `name` is what messages call the source.
 */
export async function readSource(path: string, name: string, options: ReadOptions = {}): Promise<ReadResult> {
  const rows: RawRow[] = [];
  const problems: RowProblem[] = [];
  const wanted = options.format === 'auto' ? undefined : options.format;
  const files = await listFiles(path);
  for (const file of files) {
    const shown = file === '' ? name : `${name}/${file}`;
    const format = wanted ?? detectFormat(file === '' ? path : file);
    const label = labelOf(file, options.folders);
    if (format === undefined || (options.folders !== undefined && label === undefined)) continue;
    if (format === 'email' && extname(file) === '.json') continue;
    const bytes = await readFile(join(path, file));
    const text = bytes.toString('utf8');
    if (format === 'text' || format === 'email') {
      // Old mail is often not UTF-8; Latin-1 gives every byte a character.
      rows.push(
        readDocument(shown, text.includes('\uFFFD') ? bytes.toString('latin1') : text, format, label),
      );
      continue;
    }
    const read = format === 'csv' ? readCsvRows : readJsonlRows;
    const result = read(shown, text, options.fields ?? {});
    const split = splitOf(file === '' ? path : file);
    for (const row of result.rows)
      rows.push(row.split === undefined && split !== undefined ? { ...row, split } : row);
    problems.push(...result.problems);
  }
  if (rows.length === 0 && problems.length === 0) {
    problems.push({
      file: name,
      line: 1,
      message: `Nothing was read: ${files.length} files, and none is CSV, JSONL, text or e-mail. Set format.`,
    });
  }
  return { rows, problems };
}
