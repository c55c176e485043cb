import { StepFailure } from '@joyul/plugin-api';
import { openTokenizer, readDataset } from '@joyul/data';
import type { Dataset } from '@joyul/data';
import { writeModel } from '@joyul/models';
import {
  describeMemory,
  describeTrunk,
  encodeRows,
  openEncoder,
  readHparams,
  readStrategy,
  trainClassifier,
} from '@joyul/training';
import type {
  Evaluation,
  Hparams,
  Strategy,
  TrainOptions,
  TrainResult,
  TrainingStart,
} from '@joyul/training';
import { describeEffect, keepAdapter, openAdapter } from './adapters.ts';
import {
  StartWatch,
  checkTrainability,
  makeListeners,
  makeTakePrefix,
  percent,
  tellBackend,
  tellBefore,
  tellMemory,
  throwAsFailure,
  writeHistory,
} from './common.ts';
import type { Context } from './common.ts';
import { trainLanguage } from './language.ts';
import { searchForPrompt } from './prompt.ts';

/** What was trained, in brackets. */
function describeTrained({ blocks, adapters }: Strategy): string {
  if (adapters !== undefined) return ' (adapters and the head)';
  return blocks.length === 0 ? '' : ` (${blocks.join(', ')} and the head)`;
}

function tell(context: Context, strategy: Strategy, result: TrainResult, perIteration: number): void {
  const { emit } = context;
  const { trainability, best, evaluations, iterations, stopReason } = result;
  const first = evaluations[0];
  const share = percent(trainability.trainedWeights / trainability.totalWeights);
  const isUnchanged = best.iteration === 0;
  const kind =
    trainability.isFineTuning || isUnchanged
      ? ''
      : 'No pretrained weight changed: this is feature extraction, not fine-tuning. ';
  if (isUnchanged) {
    emit({
      type: 'finding',
      weight: 'warning',
      text: 'No evaluation was better than the starting weights, so these are kept and nothing was tuned: try a lower learning rate, or more data.',
    });
  }
  emit({
    type: 'finding',
    weight: 'headline',
    text: `${kind}Validation accuracy ${percent(best.accuracy)} (loss ${best.loss.toFixed(3)}) after ${best.iteration} of ${iterations} iterations; before training ${percent(first?.accuracy ?? 0)} (loss ${(first?.loss ?? 0).toFixed(3)}).`,
  });
  emit({
    type: 'finding',
    text: `Trained ${trainability.trainedTensors} of ${trainability.tensors.length} tensors, ${share} of all weights${describeTrained(strategy)}; digests prove that the rest did not move.`,
  });
  if (trainability.effective !== undefined && !isUnchanged)
    emit({ type: 'finding', text: describeEffect(trainability.effective) });
  emit({
    type: 'finding',
    text: `Training ended because ${stopReason}; the weights with the highest validation accuracy are kept (of equals those with the lowest loss). ${perIteration.toFixed(2)} s an iteration.`,
  });
}

/** Tells what was done before the first iteration. */
function tellStart(start: TrainingStart, context: Pick<Context, 'emit'>): void {
  const { emit } = context;
  const { cut, trunk, memory } = start;
  emit({ type: 'finding', text: `Training is expected to take ${describeMemory(memory)}.` });
  if (cut !== undefined && trunk !== undefined)
    emit({ type: 'finding', text: `${describeTrunk(trunk, cut)} They serve every epoch.` });
  tellBefore(start, context, accuracyOf);
}

/** What is drawn besides the losses. */
const accuracyOf = ({ accuracy }: Evaluation): Readonly<Record<string, number>> => ({
  'validation accuracy': accuracy,
});

/** Tells what happens before the first iteration. */
function tellActivity({ emit }: Pick<Context, 'emit'>, { blocks }: Pick<Strategy, 'blocks'>): void {
  const activity = blocks.includes('embeddings') ? 'starting' : 'computing frozen layers';
  emit({ type: 'progress', activity, done: 0 });
}

async function readInputs({ inputs }: Pick<Context, 'inputs'>): Promise<{
  readonly strategy: Strategy;
  readonly hparams: Hparams;
  readonly model: Awaited<ReturnType<typeof openEncoder>>;
  readonly tokenizer: Awaited<ReturnType<typeof openTokenizer>>;
}> {
  const [strategy, { values: hparams }, model, tokenizer] = await Promise.all([
    readStrategy(inputs.strategy),
    readHparams(inputs.hparams),
    openEncoder(inputs.weights),
    openTokenizer(inputs.weights),
  ]);
  return { strategy, hparams, model, tokenizer };
}

/** Trains and writes the model. */
export async function runTrain(context: Context): Promise<void> {
  const dataset = await readDataset(context.inputs.dataset);
  const strategy = await readStrategy(context.inputs.strategy);
  if (strategy.method === 'prompt') return searchForPrompt(dataset, strategy, context);
  if (dataset.header.task !== 'classification') return trainLanguage(dataset, context);
  requireLabels(context);
  return trainOnLabels(dataset, context);
}

/** An encoder with a head has nothing to learn from texts alone. */
function requireLabels(context: Context): void {
  if (context.params.data === 'unlabelled')
    throw new StepFailure(
      'NOT_A_DECODER',
      'An encoder with a head learns nothing from unlabelled texts here.',
      {
        help: 'Take `data: unlabelled` out, or train a language model: format: chat or text in prepare.',
      },
    );
}

async function trainOnLabels(dataset: Dataset, context: Context): Promise<void> {
  const { outputs, seed, backend, signal, scratch, sharedDir } = context;
  const { strategy, hparams, model, tokenizer } = await readInputs(context);
  const { labels } = dataset.header;
  const encode = async (split: 'train' | 'validation'): Promise<TrainOptions['train']> =>
    encodeRows(await dataset.rows(split), tokenizer, labels, hparams.max_length);
  const [train, validation] = [await encode('train'), await encode('validation')];
  const adapter = await openAdapter(model, strategy);
  tellBackend(context);
  const watch = new StartWatch<Evaluation>(context, hparams);
  tellActivity(context, strategy);
  const result = await trainClassifier({
    model,
    labels,
    train,
    validation,
    padId: tokenizer.padId,
    strategy,
    ...adapter,
    hparams,
    seed,
    scratchDir: scratch,
    sharedDir,
    takePrefix: makeTakePrefix(hparams, context),
    signal,
    ...(backend === undefined ? {} : { backend }),
    onStart: (start) => {
      watch.begin(start);
      tellStart(start, context);
    },
    ...makeListeners(context, accuracyOf),
  }).catch(throwAsFailure);
  checkTrainability(result);
  const rawConfig = {
    ...model.rawConfig,
    joyul: { maxLength: hparams.max_length, pooling: strategy.pooling, tokenizerDigest: tokenizer.digest },
  };
  await writeModel(outputs.trained, {
    rawConfig,
    tensors: [...result.weights.values()],
    labels,
    tokenizerFrom: model.path,
  });
  await keepAdapter(context, result, {
    model,
    classes: labels.length,
    pooling: strategy.pooling,
    padId: tokenizer.padId,
    examples: validation,
  });
  await writeHistory(outputs.trained, result, {
    strategy,
    hparams,
    perEpoch: watch.perEpoch,
    metricsOf: ({ accuracy }) => ({ eval_accuracy: accuracy }),
  });
  tellMemory(context, watch.predictedBytes);
  tell(context, strategy, result, watch.secondsEach(result.iterations));
}
