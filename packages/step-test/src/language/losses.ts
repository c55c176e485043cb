/** What models find new in test rows. */
import type { Row } from '@joyul/data';
import {
  encodeLanguageRows,
  meanLoss,
  measureLanguage,
  measureParts,
  openLanguageModel,
} from '@joyul/training';
import type { PartLoss } from '@joyul/training';
import type { Context } from '../context.ts';
import type { Trained } from './describe-trained.ts';
import { judgeKnowledge } from './reasons.ts';
import type { Reason } from './reasons.ts';

/** What a model finds new. */
interface Losses {
  /** A token of what the rows are to teach, on average. */
  readonly loss: number;
  /** All tokens of the texts, of which conversations are the first few, questions included. */
  readonly texts: readonly PartLoss[];
}

/** Measures a model on test rows. */
async function measureLosses(
  dir: string,
  rows: readonly Row[],
  { params, backend, emit, signal }: Context,
): Promise<Losses> {
  signal.throwIfAborted();
  emit({ type: 'progress', activity: 'measuring', done: 0 });
  const { model, encoder } = await openLanguageModel(dir);
  const options = backend === undefined ? {} : { backend };
  // One by one: whether models differ shows in how often, text by text.
  const alone = { ...options, batchSize: 1, packing: false };
  const { examples } = encodeLanguageRows(rows, encoder, params.context);
  if (rows.every(({ messages }) => messages === undefined)) {
    const texts = await measureParts(model, examples, alone);
    return { loss: meanLoss(texts), texts };
  }
  const whole = rows
    .slice(0, params.consistency_questions)
    .flatMap(({ text }) => encoder.encodeText(text, params.context));
  const loss = await measureLanguage(model, examples, options);
  return { loss, texts: await measureParts(model, whole, alone) };
}

/** The losses of each tuned model by its folder, and of the untuned one. */
export type AllLosses = ReadonlyMap<string, Losses>;

/** Measures the tuned models and the untuned one; a prompt finds in rows what its model does. */
export async function measureAll(
  trained: readonly Trained[],
  rows: readonly Row[],
  context: Context,
): Promise<AllLosses> {
  const tuned = trained.filter(({ kind }) => kind === 'tuned');
  const losses = new Map<string, Losses>();
  for (const dir of [...tuned.map((item) => item.dir), context.inputs.model])
    losses.set(dir, await measureLosses(dir, rows, context));
  return losses;
}

/** What was found in the rows, as metrics.json has it. */
export function describeLosses(losses: AllLosses, { inputs }: Context) {
  const base = losses.get(inputs.model)?.loss ?? Number.NaN;
  const own = losses.get(inputs.trained)?.loss ?? base;
  return {
    version: 1,
    split: 'test',
    loss: own,
    perplexity: Math.exp(own),
    base_loss: base,
    base_perplexity: Math.exp(base),
  };
}

/** Tells how new the rows are to each model; the only thing to tell of plain texts. */
export function tellLosses(trained: readonly Trained[], losses: AllLosses, { inputs, emit }: Context): void {
  const of = (dir: string): string => Math.exp(losses.get(dir)?.loss ?? Number.NaN).toFixed(2);
  const tuned = trained.filter(({ dir }) => losses.has(dir)).map(({ dir, name }) => `${name} ${of(dir)}`);
  emit({
    type: 'finding',
    text: `Test perplexity, of what the rows are to teach: ${[...tuned, `the untuned model ${of(inputs.model)}`].join(', ')}.`,
  });
}

/** Whether a tuned model knows the texts better than the untuned one. */
export function judgeTexts(losses: AllLosses, dir: string, { inputs, seed }: Context): Reason | undefined {
  const [tuned, base] = [losses.get(dir), losses.get(inputs.model)];
  return tuned === undefined || base === undefined
    ? undefined
    : judgeKnowledge(tuned.texts, base.texts, seed);
}
