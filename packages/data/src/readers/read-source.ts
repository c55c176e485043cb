import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { FieldNames, RawRow, RowBatch } from '../row.ts';
import { CsvRecords } from './csv-records.ts';
import { parseEmail } from './email.ts';
import { chooseFiles, labelOf, listFiles, splitOf } from './files.ts';
import type { Candidate, SourceFormat } from './files.ts';
import { readHubFolder } from './hub-folder.ts';
import { readJsonArray, readJsonLines } from './json.ts';
import { readLineBlocks } from './lines.ts';
import { readParquet } from './parquet.ts';
import type { ShapeVerdict } from './shape.ts';
import type { RecordBatch } from './table-record.ts';
import { RowMaker } from './table.ts';
import type { TableOptions } from './table.ts';
import { TextSplitter, detectUnit } from './text-file.ts';
import type { TextUnit } from './text-file.ts';

/** What to read and how. */
export interface ReadOptions extends TableOptions {
  /** Absent or `auto`: from each file's name. */
  readonly format?: SourceFormat | 'auto';
  readonly fields?: FieldNames;
  /**
   * For folders: the label of each file whose folder fits the key, which may hold `*`; files that fit
   * no key are left out. Absent: the label is the name of the folder.
   */
  readonly folders?: Readonly<Record<string, string>>;
  /** Which of the data sets that a Hugging Face folder's README.md lists. */
  readonly subset?: string;
  /** What one text of a plain file is; absent: documents in folders, parts of a lone file. */
  readonly texts?: TextUnit;
  readonly signal?: AbortSignal;
  /** Told now and then how many of the files are read. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What reading a source gave besides its rows. */
export interface SourceSummary {
  /** Files of the source that hold no rows and were left out. */
  readonly ignored: readonly string[];
  /** What the tables were taken for, by shape; empty where there are none. */
  readonly verdicts: readonly ShapeVerdict[];
  /** Texts that were no part of a table, by what each is. */
  readonly texts: Readonly<Partial<Record<TextUnit, number>>>;
}

const replySign = /^(?:\s*(?:re|fwd?|aw|sv|antwort)(?:\[\d+\])?\s*:)+\s*/i;

/** Mails of one thread or one campaign have the same subject; they belong on one side of a split. */
const threadOf = (subject: string): string =>
  subject.replace(replySign, '').toLowerCase().replace(/\W+/g, ' ').trim();

/** Old text is often not UTF-8; Latin-1 gives every byte a character. */
function decode(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  return text.includes('\uFFFD') ? bytes.toString('latin1') : text;
}

function readDocument(file: string, bytes: Buffer, format: 'text' | 'email'): RawRow {
  const place = { file, line: 1 };
  if (format === 'text') return { text: decode(bytes), place };
  const { subject, body } = parseEmail(bytes);
  const thread = threadOf(subject);
  return { text: `${subject}\n${body}`, place, ...(thread === '' ? {} : { group: `subject:${thread}` }) };
}

/** The records of a table, some at a time. */
async function* readTable(path: string, file: string, format: SourceFormat): AsyncGenerator<RecordBatch> {
  if (format === 'parquet') return yield* readParquet(path, file);
  if (format === 'json') return yield readWhole(path, file, await readFile(path));
  const csv = format === 'csv' ? new CsvRecords(file) : undefined;
  for await (const { text, line, isLast, problem } of readLineBlocks(path, file)) {
    const { records, problems } = csv?.read(text, isLast) ?? readJsonLines(file, text, line);
    yield { records, problems: problem === undefined ? problems : [problem, ...problems] };
  }
}

function readWhole(path: string, file: string, bytes: Buffer): RecordBatch {
  const text = bytes.toString('utf8').replace(/^\uFEFF/, '');
  const { records, problems } = readJsonArray(file, text);
  const at = text.indexOf('\uFFFD');
  if (at === -1 || bytes.includes(Buffer.from('\uFFFD'))) return { records, problems };
  const before = text.slice(0, at).split('\n');
  const place = { file, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
  return {
    records,
    problems: [{ ...place, message: 'This byte is not UTF-8. Save the file as UTF-8.' }, ...problems],
  };
}

/** Reads the files of one source. */
class SourceReader {
  readonly #path: string;
  readonly #name: string;
  readonly #options: ReadOptions;
  readonly #verdicts = new Map<string, ShapeVerdict>();
  readonly #texts: Partial<Record<TextUnit, number>> = {};

  constructor(path: string, name: string, options: ReadOptions) {
    this.#path = path;
    this.#name = name;
    this.#options = options;
  }

  get found(): Pick<SourceSummary, 'verdicts' | 'texts'> {
    return { verdicts: [...this.#verdicts.values()], texts: this.#texts };
  }

  async *read({ file, format }: Candidate, isAlone: boolean): AsyncGenerator<RowBatch> {
    const shown = file === '' ? this.#name : `${this.#name}/${file}`;
    const path = join(this.#path, file);
    const label = labelOf(file, this.#options.folders);
    if (format === 'text' && label === undefined) return yield* this.#readTexts(path, shown, isAlone);
    if (format === 'text' || format === 'email') {
      const row = readDocument(shown, await readFile(path), format);
      this.#count('document', 1);
      return yield { rows: [label === undefined ? row : { ...row, label }], problems: [] };
    }
    const maker = new RowMaker(shown, this.#options);
    for await (const batch of readTable(path, shown, format)) yield maker.make(batch);
    if (maker.verdict !== undefined) this.#add(maker.verdict);
  }

  async *#readTexts(path: string, shown: string, isAlone: boolean): AsyncGenerator<RowBatch> {
    const { texts } = this.#options;
    if (texts === 'document' || (texts === undefined && !isAlone)) {
      this.#count('document', 1);
      return yield { rows: [readDocument(shown, await readFile(path), 'text')], problems: [] };
    }
    let splitter: TextSplitter | undefined;
    let unit: TextUnit = texts ?? 'line';
    for await (const block of readLineBlocks(path, shown, { isLenient: true })) {
      if (splitter === undefined) unit = texts ?? detectUnit(block.text);
      splitter ??= new TextSplitter(shown, unit);
      const rows = splitter.read(block);
      this.#count(unit, rows.length);
      yield { rows, problems: [] };
    }
  }

  #count(unit: TextUnit, texts: number): void {
    this.#texts[unit] = (this.#texts[unit] ?? 0) + texts;
  }

  #add(verdict: ShapeVerdict): void {
    const key = `${verdict.shape}\0${verdict.fields.join('\0')}`;
    const known = this.#verdicts.get(key);
    this.#verdicts.set(
      key,
      known === undefined
        ? verdict
        : { ...known, read: known.read + verdict.read, fit: known.fit + verdict.fit },
    );
  }
}

const rowsAtOnce = 2000;

/**
 * Reads a file or a folder of files; `take` gets its rows and problems as they come, never all at once. Every problem is
 * told, none stops the reading.
 *
 * `name` is what messages call the source.
 */
export async function readSource(
  path: string,
  name: string,
  options: ReadOptions,
  take: (batch: RowBatch) => void,
): Promise<SourceSummary> {
  const files = await listFiles(path);
  const hub = await readHubFolder(path, name, files, options.subset);
  const all = chooseFiles(path, files, options.format ?? 'auto').filter(
    ({ file }) => hub === undefined || hub.splits.has(file),
  );
  const isLabelledByFolder = options.folders !== undefined && all.some((item) => item.file.includes('/'));
  const chosen = all.filter(
    ({ file, format }) =>
      !isLabelledByFolder ||
      (format !== 'text' && format !== 'email') ||
      labelOf(file, options.folders) !== undefined,
  );
  const reader = new SourceReader(path, name, options);
  let [found, told] = [0, 0];
  const pass = ({ rows, problems }: RowBatch): void => {
    found += rows.length + problems.length;
    take({ rows, problems });
  };
  if (hub?.problem !== undefined) pass({ rows: [], problems: [hub.problem] });
  for (const [done, candidate] of chosen.entries()) {
    const { file } = candidate;
    const split = hub === undefined ? splitOf(file === '' ? basename(path) : file) : hub.splits.get(file);
    for await (const { rows, problems } of reader.read(candidate, chosen.length === 1)) {
      options.signal?.throwIfAborted();
      pass({
        rows: rows.map((row) => (row.split !== undefined || split === undefined ? row : { ...row, split })),
        problems,
      });
      if (found - told < rowsAtOnce) continue;
      told = found;
      options.onProgress?.(done, chosen.length);
    }
  }
  options.onProgress?.(chosen.length, chosen.length);
  if (found === 0)
    pass({
      rows: [],
      problems: [
        {
          file: name,
          line: 1,
          message: `Nothing was read: ${files.length} files, and none is CSV, JSONL, JSON, Parquet, text or e-mail. Set format.`,
        },
      ],
    });
  const taken = new Set(chosen.map((item) => item.file));
  return { ignored: files.filter((file) => !taken.has(file)), ...reader.found };
}
