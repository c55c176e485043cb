import { readFile, readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, relative, sep } from 'node:path';
import type { FieldNames, RawRow, ReadResult, RowProblem, RowShape } from '../row.ts';
import { parseEmail } from './email.ts';
import { readCsvRows, readJsonRows, readJsonlRows } from './table.ts';
import type { TableOptions } from './table.ts';

/** How rows are stored. */
export type SourceFormat = 'csv' | 'jsonl' | 'json' | 'text' | 'email';

/** What to read and how. */
export interface ReadOptions {
  /** Absent or `auto`: from each file's name and first characters. */
  readonly format?: SourceFormat | 'auto';
  /** What a row of a table stands for; absent: from the names of its fields. */
  readonly shape?: RowShape;
  readonly fields?: FieldNames;
  /**
   * For folders: the label of each file whose folder fits the key, which may hold `*`; files that fit
   * no key are left out. Absent: the label is the name of the folder.
   */
  readonly folders?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  /** Told now and then how many of the files are read. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What reading a source gave. */
export interface SourceResult extends ReadResult {
  /** Files of the source that hold no rows and were left out. */
  readonly ignored: readonly string[];
}

/** All files under a path, relative to it, in code-unit order. */
async function listFiles(path: string): Promise<readonly string[]> {
  if ((await stat(path)).isFile()) return [''];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(path, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((file) => !file.split('/').some((part) => part.startsWith('.')));
  return files.sort((left, right) => (left < right ? -1 : 1));
}

const formats: Readonly<Record<string, SourceFormat>> = {
  '.csv': 'csv',
  '.tsv': 'csv',
  '.jsonl': 'jsonl',
  '.ndjson': 'jsonl',
  '.json': 'json',
  '.txt': 'text',
  '.eml': 'email',
};

/** Files that say something about a data set and are no part of it. */
const isDocumentation = (file: string): boolean =>
  /(?:^|\/)(?:readme|license|licence|notice|changelog|security)(?:\.\w+)?$|(?:^|\/)(?:package|datapackage|dataset_infos?)\.json$/i.test(
    file,
  );

interface Candidate {
  readonly file: string;
  readonly format: SourceFormat;
}

/** The files that hold rows: where tables and documents lie side by side, the tables. */
function chooseFiles(path: string, files: readonly string[], options: ReadOptions): readonly Candidate[] {
  if (files.length === 1 && files[0] === '') {
    const format = options.format ?? 'auto';
    return [
      { file: '', format: format === 'auto' ? (formats[extname(path).toLowerCase()] ?? 'text') : format },
    ];
  }
  const known = files
    .filter((file) => !isDocumentation(file))
    .flatMap((file): Candidate[] => {
      const format = formats[extname(file).toLowerCase()];
      return format === undefined ? [] : [{ file, format }];
    });
  const { format } = options;
  if (format === 'email' || format === 'text')
    // Mail often lies in files with a number or nothing after the dot; descriptions beside it are JSON.
    return files
      .filter((file) => !isDocumentation(file) && formats[extname(file).toLowerCase()] !== 'json')
      .filter((file) => format === 'email' || formats[extname(file).toLowerCase()] === 'text')
      .map((file) => ({ file, format }));
  if (format !== undefined && format !== 'auto') return known.filter((item) => item.format === format);
  for (const kinds of [['csv', 'jsonl'], ['json'], ['text', 'email']]) {
    const found = known.filter((item) => kinds.includes(item.format));
    if (found.length > 0) return found;
  }
  return [];
}

/** True where a folder's path fits a pattern such as `easy-ham-*` or `mail/spam`, at any depth. */
function fitsFolder(folder: string, pattern: string): boolean {
  const source = pattern
    .replace(/^\.?\/|\/$/g, '')
    .split('*')
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('[^/]*');
  return new RegExp(`(?:^|/)${source}(?:/|$)`).test(folder);
}

/** The label that a file's folder gives it, or undefined where the file does not count. */
function labelOf(file: string, folders: ReadOptions['folders']): string | undefined {
  const folder = dirname(file);
  if (folders === undefined) return folder === '.' ? undefined : basename(folder);
  // The longest key that fits wins, so that `mail/spam` can stand beside `mail`.
  const key = Object.keys(folders)
    .filter((pattern) => fitsFolder(folder, pattern))
    .sort((a, b) => b.length - a.length)[0];
  return key === undefined ? undefined : folders[key];
}

const replySign = /^(?:\s*(?:re|fwd?|aw|sv|antwort)(?:\[\d+\])?\s*:)+\s*/i;

/** Mails of one thread or one campaign have the same subject; they belong on one side of a split. */
const threadOf = (subject: string): string =>
  subject.replace(replySign, '').toLowerCase().replace(/\W+/g, ' ').trim();

function readDocument(
  file: string,
  bytes: Buffer,
  format: 'text' | 'email',
  label: string | undefined,
): RawRow {
  const place = { file, line: 1 };
  const named = label === undefined ? {} : { label };
  if (format === 'text') return { text: decode(bytes), place, ...named };
  const { subject, body } = parseEmail(bytes);
  const thread = threadOf(subject);
  return {
    text: `${subject}\n${body}`,
    place,
    ...named,
    ...(thread === '' ? {} : { group: `subject:${thread}` }),
  };
}

/** The split that a file's name or folder stands for, as Hugging Face's data sets name them. */
export function splitOf(file: string): RawRow['split'] {
  const match = /(?:^|[/_.-])(train|validation|valid|val|dev|test)(?:[_.-][^/]*)?(?:\.[a-z]+$|\/)/i.exec(
    file,
  );
  const name = match?.[1]?.toLowerCase();
  return name === undefined ? undefined : name === 'train' || name === 'test' ? name : 'validation';
}

/** Old text is often not UTF-8; Latin-1 gives every byte a character. */
function decode(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return text.includes('\uFFFD') ? bytes.toString('latin1') : text;
}

/** What is wrong with a table's encoding: where the first byte is that is not UTF-8. */
function checkEncoding(file: string, bytes: Buffer): RowProblem | undefined {
  const text = bytes.toString('utf8');
  const at = text.indexOf('\uFFFD');
  if (at === -1 || bytes.includes(Buffer.from('\uFFFD'))) return undefined;
  const before = text.slice(0, at);
  return {
    file,
    line: before.split('\n').length,
    column: at - before.lastIndexOf('\n'),
    message: 'This byte is not UTF-8. Save the file as UTF-8.',
  };
}

function readTable(
  shown: string,
  bytes: Buffer,
  format: 'csv' | 'jsonl' | 'json',
  options: TableOptions,
): ReadResult {
  const encoding = checkEncoding(shown, bytes);
  const readers = { csv: readCsvRows, jsonl: readJsonlRows, json: readJsonRows };
  const result = readers[format](shown, bytes.toString('utf8'), options);
  return encoding === undefined ? result : { ...result, problems: [encoding, ...result.problems] };
}

const atOnce = 64;

/**
 * Reads a file or a folder of files into rows; every problem is collected, none stops the reading.
 *
 * `name` is what messages call the source.
 */
export async function readSource(
  path: string,
  name: string,
  options: ReadOptions = {},
): Promise<SourceResult> {
  const rows: RawRow[] = [];
  const problems: RowProblem[] = [];
  let shape: RowShape | undefined;
  const files = await listFiles(path);
  const all = chooseFiles(path, files, options);
  const isLabelledByFolder = options.folders !== undefined && all.some((item) => item.file.includes('/'));
  const chosen = all.filter(
    ({ file, format }) =>
      !isLabelledByFolder ||
      (format !== 'text' && format !== 'email') ||
      labelOf(file, options.folders) !== undefined,
  );
  for (let start = 0; start < chosen.length; start += atOnce) {
    options.signal?.throwIfAborted();
    const part = chosen.slice(start, start + atOnce);
    const contents = await Promise.all(part.map(({ file }) => readFile(join(path, file))));
    for (const [index, { file, format }] of part.entries()) {
      const bytes = contents[index] ?? Buffer.alloc(0);
      const shown = file === '' ? name : `${name}/${file}`;
      const split = splitOf(file === '' ? basename(path) : file);
      const result =
        format === 'text' || format === 'email'
          ? { rows: [readDocument(shown, bytes, format, labelOf(file, options.folders))], problems: [] }
          : readTable(shown, bytes, format, options);
      shape ??= 'shape' in result ? result.shape : undefined;
      for (const row of result.rows)
        rows.push(row.split !== undefined || split === undefined ? row : { ...row, split });
      problems.push(...result.problems);
    }
    options.onProgress?.(Math.min(start + atOnce, chosen.length), chosen.length);
  }
  if (rows.length === 0 && problems.length === 0)
    problems.push({
      file: name,
      line: 1,
      message: `Nothing was read: ${files.length} files, and none is CSV, JSONL, JSON, text or e-mail. Set format.`,
    });
  const taken = new Set(chosen.map((item) => item.file));
  const ignored = files.filter((file) => !taken.has(file));
  return { rows, problems, ignored, ...(shape === undefined ? {} : { shape }) };
}
