import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, extname, join, relative, sep } from 'node:path';
import type { RawRow } from '../row.ts';

/** How rows are stored. */
export type SourceFormat = 'csv' | 'jsonl' | 'json' | 'parquet' | 'text' | 'email';

/** All files under a path, relative to it, in code-unit order; '' for a path that is a file. */
export async function listFiles(path: string): Promise<readonly string[]> {
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
  '.parquet': 'parquet',
  '.txt': 'text',
  '.eml': 'email',
};

/** Files that say something about a data set and are no part of it. */
const isDocumentation = (file: string): boolean =>
  /(?:^|\/)(?:readme|license|licence|notice|changelog|security)(?:\.\w+)?$|(?:^|\/)(?:package|datapackage|dataset_infos?)\.json$/i.test(
    file,
  );

/** A file that holds rows, and how. */
export interface Candidate {
  readonly file: string;
  readonly format: SourceFormat;
}

/** The files that hold rows: where tables and documents lie side by side, the tables. */
export function chooseFiles(
  path: string,
  files: readonly string[],
  format: SourceFormat | 'auto',
): readonly Candidate[] {
  const formatOf = (file: string): SourceFormat | undefined => formats[extname(file).toLowerCase()];
  if (files.length === 1 && files[0] === '')
    return [{ file: '', format: format === 'auto' ? (formatOf(path) ?? 'text') : format }];
  const known = files
    .filter((file) => !isDocumentation(file))
    .flatMap((file): Candidate[] => {
      const found = formatOf(file);
      return found === undefined ? [] : [{ file, format: found }];
    });
  if (format === 'email' || format === 'text')
    // Mail often lies in files with a number or nothing after the dot; descriptions beside it are JSON.
    return files
      .filter((file) => !isDocumentation(file) && formatOf(file) !== 'json')
      .filter((file) => format === 'email' || formatOf(file) === 'text')
      .map((file) => ({ file, format }));
  if (format !== 'auto') return known.filter((item) => item.format === format);
  for (const kinds of [['csv', 'jsonl', 'parquet'], ['json'], ['text', 'email']]) {
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
export function labelOf(
  file: string,
  folders: Readonly<Record<string, string>> | undefined,
): string | undefined {
  const folder = dirname(file);
  if (folders === undefined) return folder === '.' ? undefined : basename(folder);
  // The longest key that fits wins, so that `mail/spam` can stand beside `mail`.
  const key = Object.keys(folders)
    .filter((pattern) => fitsFolder(folder, pattern))
    .sort((a, b) => b.length - a.length)[0];
  return key === undefined ? undefined : folders[key];
}

/** The split that a file's name or folder stands for, as Hugging Face's data sets name them. */
export function splitOf(file: string): RawRow['split'] {
  const match = /(?:^|[/_.-])(train|validation|valid|val|dev|test)(?:[_.-][^/]*)?(?:\.[a-z]+$|\/)/i.exec(
    file,
  );
  const name = match?.[1]?.toLowerCase();
  return name === undefined ? undefined : name === 'train' || name === 'test' ? name : 'validation';
}
