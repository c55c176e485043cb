import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
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

const atOnce = 1 << 20;

/** Rows as lines of JSON, in pieces of about a megabyte. */
async function* formatRows(rows: AsyncIterable<Row> | Iterable<Row>): AsyncGenerator<Buffer> {
  let lines: string[] = [];
  let size = 0;
  for await (const row of rows) {
    const line = `${JSON.stringify(row)}\n`;
    lines.push(line);
    size += line.length;
    if (size < atOnce) continue;
    yield Buffer.from(lines.join(''));
    [lines, size] = [[], 0];
  }
  yield Buffer.from(lines.join(''));
}

/** Writes the rows of a split into an artifact's folder as they come: train, validation, unlabelled or test. */
export async function writeRows(
  dir: string,
  split: DatasetSplit | 'test',
  rows: AsyncIterable<Row> | Iterable<Row>,
): Promise<void> {
  await mkdir(dir, { recursive: true });
  await pipeline(Readable.from(formatRows(rows)), createWriteStream(join(dir, `${split}.jsonl`)));
}

async function digestFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer); // No encoding is set.
  return hash.digest('hex');
}

/** The sha256 of what `writeRows` wrote, by split in code-unit order; each split with the folder that it is in. */
export async function digestRows(splits: Readonly<Record<string, string>>): Promise<string> {
  const hash = createHash('sha256');
  for (const name of Object.keys(splits).sort()) {
    hash.update(`${name}\0`);
    for await (const chunk of createReadStream(join(splits[name] ?? '', `${name}.jsonl`)))
      hash.update(chunk as Buffer); // No encoding is set.
  }
  return hash.digest('hex');
}

/** Makes a data-set artifact of a folder whose rows are written. */
export async function writeHeader(dir: string, header: DatasetHeader): Promise<void> {
  await mkdir(dir, { recursive: true });
  await writeFile(join(dir, headerFile), `${JSON.stringify(header, null, 2)}\n`);
}

/** Opens a data-set artifact. */
export async function readDataset(dir: string): Promise<Dataset> {
  const header = JSON.parse(await readFile(join(dir, headerFile), 'utf8')) as DatasetHeader; // Written by writeHeader.
  const rows = async (split: DatasetSplit): Promise<readonly Row[]> => {
    const count = header.splits[split];
    return count === undefined ? [] : collect(join(dir, `${split}.jsonl`), count);
  };
  return { dir, header, rows };
}

/** Seals a test split whose rows are written: an artifact that only a test step takes. */
export async function sealTestSplit(dir: string, header: DatasetHeader): Promise<void> {
  const rowsDigest = await digestFile(join(dir, testFile));
  await writeFile(join(dir, 'test.json'), `${JSON.stringify({ ...header, rowsDigest }, null, 2)}\n`);
}

/** Opens the sealed test split; its rows must be those that were sealed. */
export async function readTestSplit(
  dir: string,
): Promise<{ readonly header: DatasetHeader; readonly rows: readonly Row[] }> {
  // Written by sealTestSplit.
  const header = JSON.parse(await readFile(join(dir, 'test.json'), 'utf8')) as DatasetHeader & {
    readonly rowsDigest?: string;
  };
  const file = join(dir, testFile);
  if (header.rowsDigest !== undefined && (await digestFile(file)) !== header.rowsDigest)
    throw new Error(`${file} is not what was sealed: its digest differs from that in test.json.`);
  return { header, rows: await Array.fromAsync(readRows(file)) };
}
