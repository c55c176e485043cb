import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StepFailure } from '@joyul/plugin-api';
import {
  askedOf,
  copySealedKeys,
  digestRows,
  formatConversation,
  idOf,
  makeRandom,
  readDataset,
  readSealedKeys,
  writeHeader,
  writeRows,
} from '@joyul/data';
import type { ChatMessage, Dataset, Row } from '@joyul/data';
import { measureRows, openGenerator, openLanguageModel } from '@joyul/training';
import type { LanguageModel } from '@joyul/training';
import type { Context } from './context.ts';
import { RowFilter, countReasons, measureAgreement } from './filter.ts';
import type { DropReason } from './filter.ts';
import { askAgain, askToWrite, assign, pairsOf } from './prompts.ts';
import type { Assignment, Pair } from './prompts.ts';
import { Writer } from './writer.ts';

/** A row that passed what the filter has seen so far. */
interface Draft extends Pair {
  readonly assignment: Assignment;
}

/** What came of the writing. */
interface Outcome {
  readonly kept: readonly Draft[];
  readonly dropped: readonly DropReason[];
}

/** What the step works on. */
interface Work {
  readonly train: readonly Row[];
  readonly validation: readonly Row[];
  readonly examples: readonly Pair[];
  readonly texts: readonly string[];
}

async function readWork(dataset: Dataset, { params }: Context): Promise<Work> {
  if (dataset.header.task !== 'chat')
    throw new StepFailure(
      'NOT_A_CHAT',
      `The data set holds rows of the task ${dataset.header.task}, and only conversations can be written.`,
      {
        help: 'Give prepare conversations, or make them of labelled texts: question: "… {text}".',
      },
    );
  const [train, validation] = [await dataset.rows('train'), await dataset.rows('validation')];
  const unlabelled = params.from === 'examples' ? [] : await dataset.rows('unlabelled');
  if (params.from === 'texts' && unlabelled.length === 0)
    throw new StepFailure('NO_ROWS', 'The data set has no unlabelled texts to write from.', {
      help: 'Give prepare some: unlabelled: PATH; or write from: examples.',
    });
  const examples = pairsOf(train);
  if (examples.length === 0)
    throw new StepFailure(
      'NO_EXAMPLES',
      'No training row is one question with one answer, so there is nothing to show the model.',
      {
        help: 'Add a few such conversations to the source.',
      },
    );
  return { train, validation, examples, texts: unlabelled.map(({ text }) => text) };
}

/** The instructions that every training row begins with; none where they differ. */
function commonSystem(train: readonly Row[]): readonly ChatMessage[] {
  const systems = new Set(
    train.map(({ messages = [] }) => (messages[0]?.role === 'system' ? messages[0].content : '')),
  );
  const [content = ''] = systems;
  return systems.size === 1 && content !== '' ? [{ role: 'system', content }] : [];
}

function toRow({ question, answer }: Pair, system: readonly ChatMessage[]): Row {
  const messages: readonly ChatMessage[] = [
    ...system,
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ];
  const text = formatConversation(messages);
  return { id: `generated-${idOf(text, undefined)}`, text, messages, origin: 'generated' };
}

/** Lets the model write, drops what is no row or repeats one, and asks again what is left. */
async function draft(work: Work, language: LanguageModel, context: Context): Promise<Outcome> {
  const { params, inputs, seed, backend } = context;
  const material = { ...work, shots: params.shots, count: params.attempts };
  const assignments = assign(material, makeRandom(seed));
  const filter = new RowFilter({
    train: work.examples,
    judged: work.validation.map(askedOf),
    sealedKeys: await readSealedKeys(inputs.dataset),
    maxRouge: params.max_rouge,
  });
  const dropped: DropReason[] = [];
  const generator = await openGenerator({
    model: language.model,
    batchSize: 16,
    context: params.context,
    ...(backend === undefined ? {} : { backend }),
  });
  try {
    const writer = new Writer(generator, language.encoder, context);
    const written = await writer.write({
      activity: 'writing',
      prompts: assignments.map(askToWrite),
      maxNewTokens: params.max_new_tokens,
    });
    const drafts = written.flatMap((item, at): readonly Draft[] => {
      const assignment = assignments[at];
      const taken = filter.take(item);
      if (typeof taken !== 'string' && assignment !== undefined) return [{ ...taken, assignment }];
      if (typeof taken === 'string') dropped.push(taken);
      return [];
    });
    const asked = drafts.flatMap((item) =>
      Array.from({ length: params.samples }, () => askAgain(item, item.assignment)),
    );
    const samples = await writer.write({
      activity: 'asking again',
      prompts: asked,
      maxNewTokens: params.max_new_tokens,
    });
    const kept = drafts.filter(({ answer }, at) => {
      const own = samples.slice(at * params.samples, (at + 1) * params.samples).map(({ text }) => text);
      return measureAgreement(answer, own) >= params.agreement;
    });
    dropped.push(...Array.from({ length: drafts.length - kept.length }, () => 'samples disagree' as const));
    return { kept, dropped };
  } finally {
    generator.dispose();
  }
}

/** Training rows that show what surprises the model as a rule. */
const measuredRows = 50;

/** Drops rows whose answers the model finds stranger than those of training rows. */
async function dropStrange(
  rows: readonly Row[],
  train: readonly Row[],
  language: LanguageModel,
  { params, backend }: Context,
): Promise<{ readonly rows: readonly Row[]; readonly limit: number }> {
  const measure = async (some: readonly Row[]): Promise<readonly number[]> => {
    const losses = await measureRows(language, some, {
      maxLength: params.context,
      ...(backend === undefined ? {} : { backend }),
    });
    return losses.map(({ total, targets }) => Math.exp(total / Math.max(1, targets)));
  };
  if (rows.length === 0) return { rows, limit: params.max_perplexity ?? 0 };
  const limit = params.max_perplexity ?? Math.max(...(await measure(train.slice(0, measuredRows))));
  const own = await measure(rows);
  return { rows: rows.filter((_, at) => (own[at] ?? 0) <= limit), limit };
}

function tell(
  { emit, params }: Context,
  rows: readonly Row[],
  dropped: readonly DropReason[],
  train: number,
): void {
  const all = rows.length + dropped.length;
  emit({
    type: 'finding',
    weight: rows.length === 0 ? 'warning' : 'headline',
    text:
      rows.length === 0
        ? `None of ${all} rows that the model wrote passed the filter: the data set stays as it was.`
        : `Kept ${rows.length} of ${all} rows that the model wrote, beside ${train} of the source; they are marked as generated.`,
  });
  if (rows.length < params.rows && all >= params.attempts)
    emit({
      type: 'finding',
      text: `${params.rows} were asked for: raise attempts, or loosen what most were dropped for.`,
    });
  emit({
    type: 'table',
    title: 'Rows that were dropped',
    columns: ['why', 'rows'],
    rows: countReasons(dropped),
  });
  emit({
    type: 'table',
    title: 'Rows that were kept, such as',
    columns: ['question', 'answer'],
    rows: rows
      .slice(0, 5)
      .map(({ messages = [] }) => messages.slice(-2).map(({ content }) => content.slice(0, 160))),
  });
}

/** Writes the data set with other training rows; the rest stays. */
async function writeDataset(
  { header, rows }: Dataset,
  train: readonly Row[],
  { inputs, outputs }: Context,
): Promise<void> {
  const dir = outputs.dataset;
  await writeRows(dir, 'train', train);
  for (const split of ['validation', 'unlabelled'] as const)
    if (header.splits[split] !== undefined) await writeRows(dir, split, await rows(split));
  const written = (['train', 'validation', 'unlabelled'] as const).filter(
    (split) => header.splits[split] !== undefined,
  );
  await writeHeader(dir, {
    ...header,
    splits: { ...header.splits, train: train.length },
    digest: await digestRows(Object.fromEntries(written.map((split) => [split, dir]))),
  });
  await copySealedKeys(inputs.dataset, dir);
}

/** Lets the model write rows, filters them, and writes the data set with them. */
export async function runSynthesise(context: Context): Promise<void> {
  const { params, inputs, outputs } = context;
  const dataset = await readDataset(inputs.dataset);
  const work = await readWork(dataset, context);
  const language = await openLanguageModel(inputs.trained ?? inputs.model);
  const { kept, dropped: early } = await draft(work, language, context);
  const system = commonSystem(work.train);
  const drafts = kept.map((pair) => toRow(pair, system));
  const { rows: sane, limit } = await dropStrange(drafts, work.train, language, context);
  const rows = sane.slice(0, params.rows);
  const dropped: readonly DropReason[] = [
    ...early,
    ...Array.from({ length: drafts.length - sane.length }, () => 'too surprising to the model' as const),
    ...Array.from({ length: sane.length - rows.length }, () => 'over the limit' as const),
  ];
  await writeDataset(dataset, [...work.train, ...rows], context);
  const told = {
    version: 1,
    kept: rows.length,
    dropped: Object.fromEntries(countReasons(dropped)),
    maxPerplexity: limit,
  };
  await writeFile(join(outputs.dataset, 'generated.json'), `${JSON.stringify(told, null, 2)}\n`);
  tell(context, rows, dropped, work.train.length);
}
