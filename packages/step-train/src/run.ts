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
import type { Hparams, Strategy, TrainOptions, TrainResult, TrainingStart } from '@joyul/training';
import { describeEffect, keepAdapter, openAdapter } from './adapters.ts';
import {
  checkTrainability,
  makeTakePrefix,
  percent,
  tellBackend,
  tellMemory,
  throwAsFailure,
  writeHistory,
} from './common.ts';
import type { Context } from './common.ts';
import { trainLanguage } from './language.ts';

const curves = {
  trainingLoss: 'training loss',
  validationLoss: 'validation loss',
  validationAccuracy: 'validation accuracy',
} as const;

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

/** Tells how training goes while it goes. */
function makeListeners({
  emit,
}: Pick<Context, 'emit'>): Pick<TrainOptions, 'onIteration' | 'onEvaluation' | 'onWarning'> {
  return {
    onWarning: (message) => {
      emit({ type: 'log', level: 'warning', message });
    },
    onIteration: ({ iteration, total, loss }) => {
      emit({
        type: 'progress',
        activity: 'training',
        done: iteration,
        total,
        unit: 'iterations',
        detail: `loss ${loss.toFixed(3)}`,
      });
      emit({ type: 'curve', name: curves.trainingLoss, x: iteration, y: loss });
    },
    onEvaluation: ({ iteration, loss, accuracy }) => {
      emit({ type: 'curve', name: curves.validationLoss, x: iteration, y: loss });
      emit({ type: 'curve', name: curves.validationAccuracy, x: iteration, y: accuracy });
    },
  };
}

/** Tells what was done before the first iteration; of a checkpoint what was measured until then, so that curves are whole. */
function tellStart(
  { before, cut, trunk, resumedFrom, memory }: TrainingStart,
  { emit }: Pick<Context, 'emit'>,
): void {
  emit({ type: 'finding', text: `Training is expected to take ${describeMemory(memory)}.` });
  if (cut !== undefined && trunk !== undefined)
    emit({ type: 'finding', text: `${describeTrunk(trunk, cut)} They serve every epoch.` });
  if (resumedFrom > 0)
    emit({ type: 'finding', text: `Went on from a checkpoint after iteration ${resumedFrom}.` });
  for (const { iteration, loss } of before.trainLosses)
    emit({ type: 'curve', name: curves.trainingLoss, x: iteration + 1, y: loss });
  for (const { iteration, loss, accuracy } of before.evaluations) {
    emit({ type: 'curve', name: curves.validationLoss, x: iteration, y: loss });
    emit({ type: 'curve', name: curves.validationAccuracy, x: iteration, y: accuracy });
  }
}

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
  const { outputs, seed, backend, signal, scratch, sharedDir, emit } = context;
  const { strategy, hparams, model, tokenizer } = await readInputs(context);
  const { labels } = dataset.header;
  const encode = async (split: 'train' | 'validation'): Promise<TrainOptions['train']> =>
    encodeRows(await dataset.rows(split), tokenizer, labels, hparams.max_length);
  const [train, validation] = [await encode('train'), await encode('validation')];
  const adapter = await openAdapter(model, strategy);
  tellBackend(context);
  let perEpoch = 1;
  let resumedFrom = 0;
  let predictedBytes = 0;
  let startMs = performance.now();
  const onStart = (start: TrainingStart): void => {
    perEpoch = start.totalIterations / hparams.epochs;
    resumedFrom = start.resumedFrom;
    startMs = performance.now();
    if (hparams.precision !== 'float32') emit({ type: 'finding', text: start.precision.reason });
    predictedBytes = start.memory.totalBytes;
    tellStart(start, context);
  };
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
    onStart,
    ...makeListeners(context),
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
    perEpoch,
    metricsOf: ({ accuracy }) => ({ eval_accuracy: accuracy }),
  });
  tellMemory(context, predictedBytes);
  const seconds = (performance.now() - startMs) / 1000;
  tell(context, strategy, result, seconds / Math.max(1, result.iterations - resumedFrom));
}
