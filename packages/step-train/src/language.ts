import { percent } from '@joyul/metrics';
import { join } from 'node:path';
import type { Dataset, LanguageEncoder, Row } from '@joyul/data';
import { llamaWeightSpecs, writeAdapter, writeModel } from '@joyul/models';
import {
  describeMemory,
  encodeLanguageRows,
  keepTrainingTime,
  openLanguageModel,
  readHparams,
  readUnlabelled,
  trainLanguageModel,
} from '@joyul/training';
import type {
  LanguageEvaluation,
  LanguageModel,
  LanguageRows,
  LanguageTrainResult,
  LanguageTrainingStart,
  Strategy,
} from '@joyul/training';
import { openAdapter } from './adapters.ts';
import {
  StartWatch,
  checkTrainability,
  makeListeners,
  makeTakePrefix,
  tellBackend,
  tellBefore,
  tellMemory,
  tellOutcome,
  throwAsFailure,
  writeHistory,
} from './common.ts';
import type { Context } from './common.ts';
import { SampleWatch } from './samples.ts';
import { showMask } from './show-masks.ts';

/** Tells what is learned, and what was cut off. */
function tellRows({ emit }: Pick<Context, 'emit'>, rows: LanguageRows, maxLength: number): void {
  const { examples, truncated, tokens, targets } = rows;
  const learned = percent(targets / Math.max(1, tokens));
  emit({
    type: 'finding',
    text: `${examples.length} training texts have ${tokens} tokens, of which ${targets} (${learned}) are learned; the rest is only read.`,
  });
  if (truncated === 0) return;
  emit({
    type: 'finding',
    weight: truncated > examples.length / 20 ? 'warning' : 'detail',
    text: `${truncated} of ${examples.length} training rows are longer than ${maxLength} tokens: their ends are cut off. Set max_length in hparams.`,
  });
}

/** Rows that are shown as they are learned. */
const shownRows = 3;

/** Shows of a few rows what is only read and what is learned, special tokens and all. */
function tellMasks(
  { emit }: Pick<Context, 'emit'>,
  { examples }: LanguageRows,
  { tokenizer }: LanguageEncoder,
): void {
  const passages = examples.slice(0, shownRows).map((example) => showMask(example, tokenizer));
  const count = passages.length === 1 ? 'a training row' : `${passages.length} training rows`;
  emit({ type: 'passages', title: `What is learned, marked in ${count}; the rest is only read`, passages });
}

function tellStart(start: LanguageTrainingStart, context: Pick<Context, 'emit'>): void {
  const { emit } = context;
  const { layout, memory } = start;
  emit({ type: 'finding', text: `Training is expected to take ${describeMemory(memory)}.` });
  emit({ type: 'finding', text: layout.reason });
  tellBefore(start, context);
}

const describe = ({ loss, perplexity }: LanguageEvaluation): string =>
  `${loss.toFixed(3)} (perplexity ${perplexity.toFixed(2)})`;

function tell(context: Context, strategy: Strategy, result: LanguageTrainResult, perIteration: number): void {
  const { best, evaluations, iterations } = result;
  const [first] = evaluations;
  tellOutcome(context, result, {
    headline: `Validation loss ${describe(best)} after ${best.iteration} of ${iterations} iterations${first === undefined ? '' : `; before training ${describe(first)}`}.`,
    what: strategy.adapters === undefined ? strategy.blocks.join(', ') : 'adapters',
    kept: 'the weights with the lowest validation loss are kept',
    perIteration,
  });
}

/** What is trained on and what judges. */
interface ChosenRows extends Readonly<Record<'train' | 'validation', readonly Row[]>> {
  /** Ids of the unlabelled texts that judge; the evaluate step asks how well they are foreseen. */
  readonly aside?: readonly string[];
}

/** The labelled splits, or the unlabelled texts with a twentieth kept aside. */
async function chooseRows(dataset: Dataset, { params, seed }: Context): Promise<ChosenRows> {
  if (params.data === 'labelled')
    return { train: await dataset.rows('train'), validation: await dataset.rows('validation') };
  const rows = await readUnlabelled(dataset, seed);
  return { ...rows, aside: rows.validation.map(({ id }) => id) };
}

/** Writes the weights with the tokenizer they were trained with, and the adapter beside them where there is one. */
async function writeTrained(
  dir: string,
  { weights, adapter }: LanguageTrainResult,
  { model, encoding, maxLength }: Omit<LanguageModel, 'encoder'> & { readonly maxLength: number },
): Promise<void> {
  await writeModel(dir, {
    rawConfig: {
      ...model.rawConfig,
      joyul: { maxLength, tokenizerDigest: encoding.tokenizer, encoder: encoding },
    },
    tensors: [...weights.values()],
    tokenizerFrom: model.path,
  });
  if (adapter !== undefined)
    await writeAdapter(join(dir, 'adapter'), adapter, llamaWeightSpecs(model.config), {
      taskType: 'CAUSAL_LM',
      baseModel: 'the weights that training started from',
    });
}

/** Trains a language model and writes it. */
export async function trainLanguage(dataset: Dataset, strategy: Strategy, context: Context): Promise<void> {
  const { inputs, outputs, seed, backend, signal, scratch, emit } = context;
  const [{ values: hparams }, { model, encoder, encoding }] = await Promise.all([
    readHparams(inputs.hparams),
    openLanguageModel(inputs.weights),
  ]);
  const rows = await chooseRows(dataset, context);
  const train = encodeLanguageRows(rows.train, encoder, hparams.max_length);
  const validation = encodeLanguageRows(rows.validation, encoder, hparams.max_length);
  tellBackend(context);
  tellRows(context, train, hparams.max_length);
  tellMasks(context, train, encoder);
  const watch = new StartWatch<LanguageEvaluation>(context, hparams);
  const asked = new SampleWatch(context, rows.validation);
  emit({ type: 'progress', activity: 'starting', done: 0 });
  const result = await trainLanguageModel({
    model,
    train: train.examples,
    validation: validation.examples,
    strategy,
    ...(await openAdapter(model, strategy)),
    hparams,
    seed,
    scratchDir: scratch,
    takePrefix: makeTakePrefix(hparams, context),
    signal,
    ...(backend === undefined ? {} : { backend }),
    onStart: (start) => {
      watch.begin(start);
      tellStart(start, context);
    },
    ...asked.plan(encoder),
    ...makeListeners(context),
  }).catch(throwAsFailure);
  const secondsEach = watch.secondsEach(result.iterations);
  checkTrainability(result);
  await writeTrained(outputs.trained, result, { model, encoding, maxLength: hparams.max_length });
  const metricsOf = ({ perplexity }: LanguageEvaluation): Record<string, number> => ({
    eval_perplexity: perplexity,
  });
  await writeHistory(outputs.trained, result, {
    strategy,
    hparams,
    perEpoch: watch.perEpoch,
    metricsOf,
    ...(rows.aside === undefined ? {} : { aside: rows.aside }),
  });
  await asked.write(outputs.trained, result);
  await keepTrainingTime(context.sharedDir, outputs.trained, watch.secondsOf(result.iterations));
  tellMemory(context, watch.predictedBytes);
  tell(context, strategy, result, secondsEach);
  asked.tell(result, watch.seconds);
}
