import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChatMessage, DatasetHeader, Pace, QualityReport, RawRow, Row, SplitName } from '@joyul/data';
import {
  DigestIndex,
  RowTable,
  checkQuality,
  digestRows,
  forEachRow,
  formatConversation,
  formatQuality,
  idOf,
  keyOf,
  sampleIndices,
  readRows,
  sealTestSplit,
  summarizeLengths,
  textLengthOf,
  writeHeader,
  writeRows,
  writeSealedKeys,
} from '@joyul/data';
import { StepFailure } from '@joyul/plugin-api';
import { assignSplits } from './assign-splits.ts';
import type { AssignedRows } from './assign-splits.ts';
import { settleLabels } from './check-labels.ts';
import { cleanAll } from './clean-rows.ts';
import type { CleanedRows } from './clean-rows.ts';
import { openMeasure } from './measure-tokens.ts';
import type { MeasuredTokens } from './measure-tokens.ts';
import type { PrepareParams } from './params.ts';
import { readAll } from './read-rows.ts';
import type { ReadRows } from './read-rows.ts';
import type { Context } from './references.ts';
import { listOf } from './references.ts';
import { reportRun } from './report-run.ts';

/** A labelled text as a conversation: it is asked about, and the label is the answer. */
const converse = (text: string, label: string, question: string): readonly ChatMessage[] => [
  { role: 'user', content: question.replace('{text}', () => text) },
  { role: 'assistant', content: label },
];

/** Finishes rows one after the other: they get unique ids, a repeated one a number. */
class Finisher {
  readonly #taken: DigestIndex;
  readonly #question: string | undefined;

  constructor(rows: number, question: string | undefined) {
    this.#taken = new DigestIndex(rows);
    this.#question = question;
  }

  finish(row: RawRow): Row {
    const { text, label, messages, tools, tokens } = row;
    const wanted = row.id ?? idOf(text, label);
    const count = this.#taken.get(wanted) ?? 0;
    this.#taken.set(wanted, count + 1);
    const id = count === 0 ? wanted : `${wanted}-${count + 1}`;
    if (this.#question !== undefined && messages === undefined && label !== undefined) {
      const asked = converse(text, label, this.#question);
      return { id, text: formatConversation(asked), messages: asked };
    }
    return {
      id,
      text,
      ...(label === undefined ? {} : { label }),
      ...(messages === undefined ? {} : { messages }),
      ...(tools === undefined ? {} : { tools }),
      ...(tokens === undefined ? {} : { tokens }),
    };
  }
}

/** A sample of the rows, as `limit` asks. */
function limitRows(rows: readonly RawRow[], params: PrepareParams, seed: number): readonly RawRow[] {
  const { limit } = params;
  if (limit === undefined) return rows;
  const {
    per_class: perClass,
    total,
    of = 'all',
  } = typeof limit === 'number'
    ? { total: limit }
    : { per_class: undefined, total: undefined, of: undefined, ...limit };
  const isWhole = ({ split = 'train' }: RawRow): boolean => of === 'train' && split !== 'train';
  const open = rows.filter((row) => !isWhole(row));
  const indices = sampleIndices(
    open.map((row) => `${row.label ?? ''}\0${row.split ?? ''}`),
    { ...(perClass === undefined ? {} : { perClass }), ...(total === undefined ? {} : { total }) },
    seed,
  );
  const kept = new Set(indices.flatMap((index) => open[index] ?? []));
  return rows.filter((row) => isWhole(row) || kept.has(row));
}

/** Texts for continued pretraining: none that validation or test will judge. */
interface Unlabelled {
  readonly rows: readonly RawRow[];
  readonly sources: readonly string[];
  readonly verdicts: readonly string[];
}

async function readUnlabelled(
  context: Context,
  {
    extra,
    assigned,
    pace,
  }: { readonly extra: readonly RawRow[]; readonly assigned: AssignedRows; readonly pace: Pace },
  keep: (table: RowTable) => void,
): Promise<Unlabelled> {
  const references = listOf(context.params.unlabelled);
  if (references.length === 0 && extra.length === 0) return { rows: [], sources: [], verdicts: [] };
  const read =
    references.length === 0
      ? undefined
      : await readAll(references, context, join(context.scratch, 'unlabelled.rows'));
  if (read !== undefined) keep(read.table);
  const all = [...extra, ...(read?.rows ?? [])];
  const seen = new DigestIndex(all.length);
  for (const [index, row] of assigned.rows.entries())
    if (assigned.splits[index] !== 'train') seen.set(keyOf(row.text), 0);
  const rows: RawRow[] = [];
  await forEachRow(
    all,
    (row) => {
      if (seen.getOrSet(keyOf(row.text), 0) === undefined) rows.push(row);
    },
    pace,
  );
  return { rows, sources: read?.sources ?? [], verdicts: read?.verdicts ?? [] };
}

function countClasses({ rows, splits }: AssignedRows): QualityReport['classes'] {
  const counts = new Map<string, Record<SplitName, number>>();
  for (const [index, { label }] of rows.entries()) {
    if (label === undefined) continue;
    const own = counts.get(label) ?? { train: 0, validation: 0, test: 0 };
    own[splits[index] ?? 'train']++;
    counts.set(label, own);
  }
  return [...counts]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([label, own]) => ({ label, rows: own }));
}

const addCounts = (...all: readonly Readonly<Record<string, number>>[]): Record<string, number> => {
  const sum: Record<string, number> = {};
  for (const counts of all)
    for (const [reason, count] of Object.entries(counts)) sum[reason] = (sum[reason] ?? 0) + count;
  return sum;
};

type PrepareContext = Context & { readonly outputs: { readonly dataset: string; readonly test: string } };

/** Reads, checks, cleans, splits and writes. Rows lie on disk from reading to writing, so that texts of any size fit. */
export async function prepare(context: PrepareContext): Promise<void> {
  const { params } = context;
  const references = listOf(params.source ?? (context.inputs.files === undefined ? undefined : 'files:'));
  if (references.length === 0 && params.unlabelled === undefined)
    throw new StepFailure('NO_SOURCE', 'There is nothing to prepare: neither source nor unlabelled is set.', {
      help: 'Set source, such as source: data/tickets.csv.',
    });
  const tables: RowTable[] = [];
  try {
    await prepareRows(references, context, (table) => void tables.push(table));
  } finally {
    for (const table of tables) table.dispose();
  }
}

async function prepareRows(
  references: readonly string[],
  context: PrepareContext,
  keep: (table: RowTable) => void,
): Promise<void> {
  const { params, signal, scratch } = context;
  const seed = params.split.seed ?? context.seed;
  const makeTable = (name: string): RowTable => {
    const table = new RowTable(join(scratch, name));
    keep(table);
    return table;
  };
  const paceOf = (activity: string, total: number): Pace => ({
    signal,
    onProgress: (done) => {
      context.emit({ type: 'progress', activity, done, total, unit: 'rows' });
    },
  });
  const read = await readAll(references, context, join(scratch, 'source.rows'));
  keep(read.table);
  const labelled = settleLabels(read.rows, params);
  signal.throwIfAborted();
  const cleaned = await cleanAll(labelled.rows, read.isEmail, {
    params,
    dropped: read.dropped,
    makeTable: () => makeTable('changed.rows'),
    pace: paceOf('looking for duplicates', labelled.rows.length),
  });
  const limited = limitRows(cleaned.rows, params, seed);
  const assigned = await assignSplits(limited, params, {
    seed,
    ...paceOf('looking for near-duplicates', limited.length),
  });
  const unlabelled = await readUnlabelled(
    context,
    { extra: labelled.unlabelled, assigned, pace: paceOf('looking for duplicates', 0) },
    keep,
  );
  const written = await writeSplits(assigned, unlabelled.rows, context);
  const findings = await checkQuality(assigned.rows, paceOf('checking', assigned.rows.length));
  const stages = { read, labelled, cleaned, limited, assigned, unlabelled, findings, ...written };
  await finishArtifacts(stages, context);
}

/** Rows of each split as they were written, and how long they are in tokens. */
interface Written {
  readonly sizes: Readonly<Record<string, number>>;
  readonly measured: MeasuredTokens | undefined;
}

async function writeSplits(
  { rows, splits }: AssignedRows,
  unlabelled: readonly RawRow[],
  context: PrepareContext,
): Promise<Written> {
  const { params, outputs, signal } = context;
  const counts = { train: 0, validation: 0, test: 0 };
  for (const split of splits) counts[split]++;
  if (counts.train === 0 && unlabelled.length === 0)
    throw new StepFailure('NO_ROWS', `No row of ${listOf(params.source).join(', ')} is left for training.`, {
      help: 'Look at clean, deduplicate, limit and split.',
    });
  const measure = await openMeasure(context);
  const finisher = new Finisher(rows.length + unlabelled.length, params.question);
  let done = 0;
  function* finished(from: readonly RawRow[], wanted?: SplitName): Generator<Row> {
    for (const [index, raw] of from.entries()) {
      if (wanted !== undefined && splits[index] !== wanted) continue;
      if (done++ % 2000 === 0) {
        signal.throwIfAborted();
        context.emit({ type: 'progress', activity: 'writing', done, total: rows.length, unit: 'rows' });
      }
      const row = finisher.finish(raw);
      if (wanted !== undefined) measure?.add(row);
      yield row;
    }
  }
  await writeRows(outputs.dataset, 'train', finished(rows, 'train'));
  await writeRows(outputs.dataset, 'validation', finished(rows, 'validation'));
  if (unlabelled.length > 0) await writeRows(outputs.dataset, 'unlabelled', finished(unlabelled));
  await writeRows(outputs.test, 'test', finished(rows, 'test'));
  const sizes = {
    train: counts.train,
    validation: counts.validation,
    ...(unlabelled.length === 0 ? {} : { unlabelled: unlabelled.length }),
    test: counts.test,
  };
  return { sizes, measured: measure?.result() };
}

/** Writes what the rows are together: headers, digests and the quality report. */
async function finishArtifacts(stages: Stages, context: PrepareContext): Promise<void> {
  const { outputs } = context;
  const { read, labelled, cleaned, unlabelled, measured, sizes } = stages;
  const report = makeReport(stages);
  const folders = Object.keys(sizes).map((split) => [
    split,
    split === 'test' ? outputs.test : outputs.dataset,
  ]);
  const header: DatasetHeader = {
    version: 1,
    task: labelled.task,
    labels: labelled.task === 'classification' ? report.classes.map((item) => item.label) : [],
    splits: sizes,
    source: report.sources.join(', '),
    digest: await digestRows(Object.fromEntries(folders)),
    ...(measured === undefined ? {} : { tokens: measured.tokens }),
  };
  await writeHeader(outputs.dataset, header);
  await sealTestSplit(outputs.test, header);
  const tested = readRows(join(outputs.test, 'test.jsonl'));
  await writeSealedKeys(outputs.dataset, tested);
  await writeFile(join(outputs.dataset, 'quality.json'), `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(join(outputs.dataset, 'quality.md'), formatQuality(report));
  reportRun(context, report, {
    verdicts: [...read.verdicts, ...unlabelled.verdicts],
    notes: [...cleaned.notes, ...(measured === undefined ? [] : [measured.note])],
  });
}

/** What each stage of preparing gave. */
interface Stages extends Written {
  readonly read: ReadRows;
  readonly labelled: ReturnType<typeof settleLabels>;
  readonly cleaned: CleanedRows;
  readonly limited: readonly RawRow[];
  readonly assigned: AssignedRows;
  readonly unlabelled: Unlabelled;
  readonly findings: QualityReport['findings'];
}

function makeReport({
  read,
  labelled,
  cleaned,
  limited,
  assigned,
  unlabelled,
  findings,
  measured,
  sizes,
}: Stages): QualityReport {
  return {
    version: 1,
    sources: [...read.sources, ...unlabelled.sources],
    rows: {
      read: read.read + read.skipped.total,
      kept: assigned.rows.length,
      dropped: addCounts(
        read.skipped.total === 0 ? {} : { malformed: read.skipped.total },
        labelled.dropped,
        cleaned.dropped,
        limited.length < cleaned.rows.length
          ? { 'over the limit': cleaned.rows.length - limited.length }
          : {},
        assigned.dropped,
      ),
    },
    splits: sizes,
    classes: countClasses(assigned),
    lengths:
      measured === undefined
        ? summarizeLengths(assigned.rows.map(textLengthOf), 'characters')
        : summarizeLengths(measured.lengths, 'tokens'),
    leakage: assigned.leakage,
    findings: [
      ...skippedFinding(read),
      ...labelled.findings,
      ...cleaned.findings,
      ...assigned.findings,
      ...findings,
      ...(measured?.findings ?? []),
    ],
  };
}

function skippedFinding({ skipped: { problems, total } }: ReadRows): QualityReport['findings'] {
  if (total === 0) return [];
  const places = problems.slice(0, 100).map((problem) => ({
    file: problem.file,
    line: problem.line,
    field: problem.field ?? '',
    note: problem.message,
  }));
  const message = `${total} problems in rows that could not be read; the rows were left out, as on_error: skip asks.`;
  return [{ code: 'ROW_MALFORMED', severity: 'warning', message, total, places }];
}
