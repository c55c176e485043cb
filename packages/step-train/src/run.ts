import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chooseBackend, choosePrecision } from '@joyul/compute';
import { StepFailure } from '@joyul/plugin-api';
import type { StepContext } from '@joyul/plugin-api';
import { openTokenizer, readDataset } from '@joyul/data';
import { writeModel } from '@joyul/models';
import {
  TrainingError,
  encodeRows,
  findPrefixObstacle,
  openEncoder,
  readHparams,
  readStrategy,
  trainClassifier,
} from '@joyul/training';
import type { Hparams, Strategy, TrainOptions, TrainResult, TrainingStart } from '@joyul/training';

type Ports = {
  readonly dataset: { readonly type: 'dataset' };
  readonly weights: { readonly type: 'weights' };
  readonly strategy: { readonly type: 'strategy' };
  readonly hparams: { readonly type: 'hparams' };
};
type Context = StepContext<unknown, Ports, { readonly trained: { readonly type: 'trained-model' } }>;

const curves = {
  trainingLoss: 'training loss',
  validationLoss: 'validation loss',
  validationAccuracy: 'validation accuracy',
} as const;

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** The history in the layout of Hugging Face's trainer_state.json. */
function makeTrainerState(result: TrainResult, hparams: Hparams, perEpoch: number): unknown {
  const { best, evaluations, trainLosses, iterations } = result;
  const training = trainLosses.map((point) => ({
    step: point.iteration + 1,
    epoch: (point.iteration + 1) / perEpoch,
    loss: point.loss,
    grad_norm: point.gradientNorm,
  }));
  const validation = evaluations.map((point) => ({
    step: point.iteration,
    epoch: point.epoch,
    eval_loss: point.loss,
    eval_accuracy: point.accuracy,
  }));
  return {
    best_metric: best.loss,
    best_global_step: best.iteration,
    best_model_checkpoint: null,
    epoch: iterations / perEpoch,
    global_step: iterations,
    max_steps: perEpoch * hparams.epochs,
    num_train_epochs: hparams.epochs,
    log_history: [...training, ...validation].sort((left, right) => left.step - right.step),
  };
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
    text: `Trained ${trainability.trainedTensors} of ${trainability.tensors.length} tensors, ${share} of all weights${strategy.blocks.length === 0 ? '' : ` (${strategy.blocks.join(', ')} and the head)`}; digests prove that the rest did not move.`,
  });
  emit({
    type: 'finding',
    text: `Training ended because ${stopReason}; the weights with the highest validation accuracy are kept (of equals those with the lowest loss). ${perIteration.toFixed(2)} s an iteration.`,
  });
}

/** Tells how training goes while it goes. */
function makeListeners({ emit }: Pick<Context, 'emit'>): Pick<TrainOptions, 'onIteration' | 'onEvaluation'> {
  return {
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

function checkTrainability({ trainability: { violations } }: TrainResult): void {
  if (violations.length === 0) return;
  throw new StepFailure('TRAINABILITY', 'Weights did not move as planned.', {
    problems: violations.map((message) => ({ message })),
    help: 'This is a fault in the training code or in the strategy: please report it.',
  });
}

/** Says what computes, as a warning where a faster way is missing. */
function tellBackend({ backend, emit }: Pick<Context, 'backend' | 'emit'>): void {
  const { name, reason } = chooseBackend(backend);
  const isSlow = name === 'wasm' && backend === undefined;
  emit({ type: 'finding', text: reason, ...(isSlow ? { weight: 'warning' as const } : {}) });
}

/** Tells what was done before the first iteration; of a checkpoint what was measured until then, so that curves are whole. */
function tellStart(
  { before, cut, trunkMs, resumedFrom }: TrainingStart,
  { emit }: Pick<Context, 'emit'>,
): void {
  if (cut !== undefined)
    emit({
      type: 'finding',
      text: `The ${cut} frozen layers were computed once (${(trunkMs / 1000).toFixed(1)} s) and their states reused in every epoch.`,
    });
  if (resumedFrom > 0)
    emit({ type: 'finding', text: `Went on from a checkpoint after iteration ${resumedFrom}.` });
  for (const { iteration, loss } of before.trainLosses)
    emit({ type: 'curve', name: curves.trainingLoss, x: iteration + 1, y: loss });
  for (const { iteration, loss, accuracy } of before.evaluations) {
    emit({ type: 'curve', name: curves.validationLoss, x: iteration, y: loss });
    emit({ type: 'curve', name: curves.validationAccuracy, x: iteration, y: accuracy });
  }
}

/** Asks the engine for what training for fewer epochs left: all else that decides a run of epochs is the key. */
function makeTakePrefix(
  { epochs, ...others }: Hparams,
  { backend, takePrefix }: Context,
): NonNullable<TrainOptions['takePrefix']> {
  const obstacle = findPrefixObstacle(others);
  return async (done) => {
    // The fastest backend may be another one than it was then, and so may the faster element type.
    const chosen = chooseBackend(backend).name;
    const { name: precision } = await choosePrecision(others.precision, chosen);
    const { earlier, keep } = await takePrefix({
      extent: epochs,
      key: { ...others, backend: chosen, precision },
      done,
      ...(obstacle === undefined ? {} : { obstacle }),
    });
    return {
      ...(earlier === undefined ? {} : { from: earlier.dir }),
      ...(keep === undefined ? {} : { keep }),
    };
  };
}

/** Writes what moved, how training went, and what it was done with. */
async function writeHistory(
  dir: string,
  result: TrainResult,
  of: { readonly strategy: Strategy; readonly hparams: Hparams; readonly perEpoch: number },
): Promise<void> {
  const { trainability, best, evaluations, iterations, stopReason } = result;
  const { strategy, hparams, perEpoch } = of;
  const write = (name: string, value: unknown): Promise<void> =>
    writeFile(join(dir, name), `${JSON.stringify(value, null, 2)}\n`);
  await write('trainability.json', trainability);
  await write('trainer_state.json', makeTrainerState(result, hparams, perEpoch));
  await write('training.json', {
    version: 1,
    strategy,
    hparams,
    best,
    evaluations,
    iterations,
    stopReason,
  });
}

/** Trains and writes the model. */
export async function runTrain(context: Context): Promise<void> {
  const { inputs, outputs, seed, backend, signal, scratch, emit } = context;
  const [dataset, strategy, { values: hparams }, model, tokenizer] = await Promise.all([
    readDataset(inputs.dataset),
    readStrategy(inputs.strategy),
    readHparams(inputs.hparams),
    openEncoder(inputs.weights),
    openTokenizer(inputs.weights),
  ]);
  const { labels } = dataset.header;
  const train = encodeRows(await dataset.rows('train'), tokenizer, labels, hparams.max_length);
  const validation = encodeRows(await dataset.rows('validation'), tokenizer, labels, hparams.max_length);
  tellBackend(context);
  let perEpoch = 1;
  let resumedFrom = 0;
  let startMs = performance.now();
  const onStart = (start: TrainingStart): void => {
    perEpoch = start.totalIterations / hparams.epochs;
    resumedFrom = start.resumedFrom;
    startMs = performance.now();
    if (hparams.precision !== 'float32') emit({ type: 'finding', text: start.precision.reason });
    tellStart(start, context);
  };
  const activity = strategy.blocks.includes('embeddings') ? 'starting' : 'computing frozen layers';
  emit({ type: 'progress', activity, done: 0 });
  const result = await trainClassifier({
    model,
    labels,
    train,
    validation,
    padId: tokenizer.padId,
    strategy,
    hparams,
    seed,
    scratchDir: scratch,
    takePrefix: makeTakePrefix(hparams, context),
    signal,
    ...(backend === undefined ? {} : { backend }),
    onStart,
    ...makeListeners(context),
  }).catch((error: unknown) => {
    if (error instanceof TrainingError)
      throw new StepFailure(error.code, error.message, { help: error.help, cause: error });
    throw error;
  });
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
  await writeHistory(outputs.trained, result, { strategy, hparams, perEpoch });
  const seconds = (performance.now() - startMs) / 1000;
  tell(context, strategy, result, seconds / Math.max(1, result.iterations - resumedFrom));
}
