import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChatMessage, DatasetHeader, QualityReport, RawRow, Row, SplitName } from '@joyul/data';
import {
  askedOf,
  checkQuality,
  cleanRows,
  countLabels,
  digestRows,
  duplicateKey,
  formatConversation,
  formatQuality,
  idOf,
  sampleIndices,
  sealedKeyOf,
  summarizeLengths,
  writeDataset,
  writeSealedKeys,
  writeTestSplit,
} from '@joyul/data';
import { StepFailure } from '@joyul/plugin-api';
import { assignSplits } from './assign-splits.ts';
import type { AssignedRows } from './assign-splits.ts';
import { settleLabels } from './check-labels.ts';
import { cleanAll } from './clean-rows.ts';
import { measureTokens } from './measure-tokens.ts';
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

/** Finished rows have unique ids; a repeated one gets a number. */
function finish(rows: readonly RawRow[], taken: Map<string, number>, question?: string): Row[] {
  return rows.map((row): Row => {
    const wanted = row.id ?? idOf(row.text, row.label);
    const count = taken.get(wanted) ?? 0;
    taken.set(wanted, count + 1);
    const id = count === 0 ? wanted : `${wanted}-${count + 1}`;
    if (question !== undefined && row.messages === undefined && row.label !== undefined) {
      const messages = converse(row.text, row.label, question);
      return { id, text: formatConversation(messages), messages };
    }
    return {
      id,
      text: row.text,
      ...(row.label === undefined ? {} : { label: row.label }),
      ...(row.messages === undefined ? {} : { messages: row.messages }),
    };
  });
}

/** A sample of the rows, as `limit` asks. */
function limitRows(rows: readonly RawRow[], params: PrepareParams, seed: number): readonly RawRow[] {
  const { limit } = params;
  if (limit === undefined) return rows;
  const { per_class: perClass, total } =
    typeof limit === 'number' ? { total: limit } : { per_class: undefined, total: undefined, ...limit };
  const indices = sampleIndices(
    rows.map((row) => `${row.label ?? ''}\0${row.split ?? ''}`),
    { ...(perClass === undefined ? {} : { perClass }), ...(total === undefined ? {} : { total }) },
    seed,
  );
  return indices.flatMap((index) => rows[index] ?? []);
}

/** Texts for continued pretraining: none that validation or test will judge. */
async function readUnlabelled(
  context: Context,
  extra: readonly RawRow[],
  assigned: AssignedRows,
): Promise<{ readonly rows: readonly RawRow[]; readonly read: number; readonly sources: readonly string[] }> {
  const references = listOf(context.params.unlabelled);
  const read: ReadRows | undefined = references.length === 0 ? undefined : await readAll(references, context);
  const raw = [...extra, ...(read?.rows ?? [])].map(({ label: _, split: __, ...row }) => row);
  const judged = new Set(
    assigned.rows.flatMap((row, index) =>
      assigned.splits[index] === 'train' ? [] : [duplicateKey(row.text)],
    ),
  );
  const { rows } = cleanRows(raw, { minCharacters: context.params.clean.min_characters, deduplicate: true });
  return {
    rows: rows.filter((row) => !judged.has(duplicateKey(row.text))),
    read: read?.rows.length ?? 0,
    sources: read?.sources ?? [],
  };
}

const splitNames: readonly SplitName[] = ['train', 'validation', 'test'];

function countClasses(assigned: AssignedRows): QualityReport['classes'] {
  return countLabels(assigned.rows).map(({ label }) => ({
    label,
    rows: Object.fromEntries(
      splitNames.map((split) => [
        split,
        assigned.rows.filter((row, index) => row.label === label && assigned.splits[index] === split).length,
      ]),
    ),
  }));
}

const addCounts = (...all: readonly Readonly<Record<string, number>>[]): Record<string, number> => {
  const sum: Record<string, number> = {};
  for (const counts of all)
    for (const [reason, count] of Object.entries(counts)) sum[reason] = (sum[reason] ?? 0) + count;
  return sum;
};

/** Reads, checks, cleans, splits and writes; see README.md for the order and the reasons. */
export async function prepare(
  context: Context & { readonly outputs: { readonly dataset: string; readonly test: string } },
): Promise<void> {
  const { params, outputs, signal } = context;
  const seed = params.split.seed ?? context.seed;
  const references = listOf(params.source ?? (context.inputs.files === undefined ? undefined : 'files:'));
  if (references.length === 0 && params.unlabelled === undefined)
    throw new StepFailure('NO_SOURCE', 'There is nothing to prepare: neither source nor unlabelled is set.', {
      help: 'Set source, such as source: data/tickets.csv.',
    });
  const read = await readAll(references, context);
  const labelled = settleLabels(read.rows, params);
  const cleaned = cleanAll(labelled.rows, params, read.isEmail);
  signal.throwIfAborted();
  const limited = limitRows(cleaned.rows, params, seed);
  const assigned = assignSplits(limited, params, seed);
  const unlabelled = await readUnlabelled(context, labelled.unlabelled, assigned);
  signal.throwIfAborted();

  const ids = new Map<string, number>();
  const rowsOf = (split: SplitName): Row[] =>
    finish(
      assigned.rows.filter((_, index) => assigned.splits[index] === split),
      ids,
      params.question,
    );
  const splits = {
    train: rowsOf('train'),
    validation: rowsOf('validation'),
    ...(unlabelled.rows.length === 0 ? {} : { unlabelled: finish(unlabelled.rows, ids) }),
  };
  const test = rowsOf('test');
  if (splits.train.length === 0 && unlabelled.rows.length === 0)
    throw new StepFailure('NO_ROWS', `No row of ${references.join(', ')} is left for training.`, {
      help: 'Look at clean, deduplicate, limit and split.',
    });
  const measured = await measureTokens([...splits.train, ...splits.validation, ...test], context);
  const sizes = Object.fromEntries(
    Object.entries({ ...splits, test }).map(([name, rows]) => [name, rows.length]),
  );
  const report = makeReport({ read, labelled, cleaned, limited, assigned, unlabelled, measured, sizes });
  const header: DatasetHeader = {
    version: 1,
    task: labelled.task,
    labels: labelled.task === 'classification' ? report.classes.map((item) => item.label) : [],
    splits: sizes,
    source: report.sources.join(', '),
    digest: digestRows({ ...splits, test }),
    ...(measured === undefined ? {} : { tokens: measured.tokens }),
  };
  await writeDataset(outputs.dataset, header, splits);
  await writeTestSplit(outputs.test, header, test);
  await writeSealedKeys(
    outputs.dataset,
    test.map((row) => sealedKeyOf(askedOf(row))),
  );
  await writeFile(join(outputs.dataset, 'quality.json'), `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(join(outputs.dataset, 'quality.md'), formatQuality(report));
  reportRun(context, report, [...cleaned.notes, ...(measured === undefined ? [] : [measured.note])]);
}

/** What each stage of preparing gave. */
interface Stages {
  readonly read: ReadRows;
  readonly labelled: ReturnType<typeof settleLabels>;
  readonly cleaned: ReturnType<typeof cleanAll>;
  readonly limited: readonly RawRow[];
  readonly assigned: AssignedRows;
  readonly unlabelled: { readonly sources: readonly string[] };
  readonly measured: Awaited<ReturnType<typeof measureTokens>>;
  readonly sizes: Readonly<Record<string, number>>;
}

function makeReport({
  read,
  labelled,
  cleaned,
  limited,
  assigned,
  unlabelled,
  measured,
  sizes,
}: Stages): QualityReport {
  return {
    version: 1,
    sources: [...read.sources, ...unlabelled.sources],
    rows: {
      read: read.rows.length + read.skipped.length,
      kept: assigned.rows.length,
      dropped: addCounts(
        read.skipped.length === 0 ? {} : { malformed: read.skipped.length },
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
        ? summarizeLengths(
            assigned.rows.map((row) => row.text.length),
            'characters',
          )
        : summarizeLengths(measured.lengths, 'tokens'),
    leakage: assigned.leakage,
    findings: [
      ...skippedFinding(read),
      ...labelled.findings,
      ...cleaned.findings,
      ...assigned.findings,
      ...checkQuality(assigned.rows),
      ...(measured?.findings ?? []),
    ],
  };
}

function skippedFinding({ skipped }: ReadRows): QualityReport['findings'] {
  if (skipped.length === 0) return [];
  const places = skipped.slice(0, 100).map((problem) => ({
    file: problem.file,
    line: problem.line,
    field: problem.field ?? '',
    note: problem.message,
  }));
  const message = `${skipped.length} problems in rows that could not be read; the rows were left out, as on_error: skip asks.`;
  return [{ code: 'ROW_MALFORMED', severity: 'warning', message, total: skipped.length, places }];
}
