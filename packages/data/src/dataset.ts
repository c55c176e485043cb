import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Row } from './row.ts';

/** The splits that a data-set artifact can hold; the test split is an artifact of its own. */
export type DatasetSplit = 'train' | 'validation' | 'unlabelled';

/** `dataset.json`. */
export interface DatasetHeader {
  readonly version: 1;
  readonly task: 'classification' | 'text' | 'chat';
  /** In code-unit order: the order of a classifier's logits. */
  readonly labels: readonly string[];
  /** Rows in each split. */
  readonly splits: Readonly<Partial<Record<DatasetSplit | 'test', number>>>;
  /** As resolved, with versions; several are joined by a comma. */
  readonly source: string;
  /** sha256 of all rows by split: equal digests mean equal data. Absent in data sets of older versions. */
  readonly digest?: string;
  /** Set when the splits' token lengths were measured. */
  readonly tokens?: {
    readonly tokenizerDigest: string;
    readonly maxLength: number;
    readonly truncated: number;
    readonly longest: number;
    readonly mean: number;
  };
}

/** A data set on disk. */
export interface Dataset {
  readonly dir: string;
  readonly header: DatasetHeader;
  /** All rows of a split; empty where there is none. */
  rows(split: DatasetSplit): Promise<readonly Row[]>;
}

const headerFile = 'dataset.json';
const testFile = 'test.jsonl';

/** Lines of a file, divided at line feeds only: JSON may hold U+2028, where `readline` would break it. */
async function* readLines(file: string): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of createReadStream(file, { encoding: 'utf8', highWaterMark: 1 << 18 })) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
  }
  if (rest !== '') yield rest;
}

/** Rows of a file, one at a time. */
export async function* readRows(file: string): AsyncGenerator<Row> {
  for await (const line of readLines(file)) if (line !== '') yield JSON.parse(line) as Row; // Written by writeRows.
}

/** All rows of a file, as many as its header says. */
async function collect(file: string, expected: number): Promise<readonly Row[]> {
  const rows = await Array.fromAsync(readRows(file));
  if (rows.length !== expected)
    throw new Error(`${file} holds ${rows.length} rows, but its header says ${expected}.`);
  return rows;
}

const formatRows = (rows: readonly Row[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

/** The sha256 of rows by split, in code-unit order of the splits. */
export function digestRows(splits: Readonly<Record<string, readonly Row[]>>): string {
  const hash = createHash('sha256');
  for (const name of Object.keys(splits).sort())
    hash.update(`${name}\0`).update(formatRows(splits[name] ?? []));
  return hash.digest('hex');
}

/** Writes a data-set artifact. */
export async function writeDataset(
  dir: string,
  header: DatasetHeader,
  splits: Readonly<Partial<Record<DatasetSplit, readonly Row[]>>>,
): Promise<void> {
  await mkdir(dir, { recursive: true });
  for (const [name, rows] of Object.entries(splits))
    await writeFile(join(dir, `${name}.jsonl`), formatRows(rows));
  await writeFile(join(dir, headerFile), `${JSON.stringify(header, null, 2)}\n`);
}

/** Opens a data-set artifact. */
export async function readDataset(dir: string): Promise<Dataset> {
  const header = JSON.parse(await readFile(join(dir, headerFile), 'utf8')) as DatasetHeader; // Written by writeDataset.
  const rows = async (split: DatasetSplit): Promise<readonly Row[]> => {
    const count = header.splits[split];
    return count === undefined ? [] : collect(join(dir, `${split}.jsonl`), count);
  };
  return { dir, header, rows };
}

/** Writes the sealed test split: an artifact that only a test step takes. */
export async function writeTestSplit(
  dir: string,
  header: DatasetHeader,
  rows: readonly Row[],
): Promise<void> {
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, testFile), formatRows(rows));
  const digest = createHash('sha256').update(formatRows(rows)).digest('hex');
  await writeFile(join(dir, 'test.json'), `${JSON.stringify({ ...header, rowsDigest: digest }, null, 2)}\n`);
}

/** Opens the sealed test split; its rows must be those that were sealed. */
export async function readTestSplit(
  dir: string,
): Promise<{ readonly header: DatasetHeader; readonly rows: readonly Row[] }> {
  // Written by writeTestSplit.
  const header = JSON.parse(await readFile(join(dir, 'test.json'), 'utf8')) as DatasetHeader & {
    readonly rowsDigest?: string;
  };
  const content = await readFile(join(dir, testFile), 'utf8');
  const digest = createHash('sha256').update(content).digest('hex');
  if (header.rowsDigest !== undefined && digest !== header.rowsDigest)
    throw new Error(
      `${join(dir, testFile)} is not what was sealed: its digest differs from that in test.json.`,
    );
  const lines = content.split('\n').filter((line) => line !== '');
  return { header, rows: lines.map((line) => JSON.parse(line) as Row) }; // Written by writeRows.
}
