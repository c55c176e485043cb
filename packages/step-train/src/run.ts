import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chooseBackend, choosePrecision } from '@joyul/compute';
import { StepFailure } from '@joyul/plugin-api';
import type { StepContext } from '@joyul/plugin-api';
import { openTokenizer, readDataset } from '@joyul/data';
import { writeModel } from '@joyul/models';
import {
  TrainingError,
  describeMemory,
  describeTrunk,
  encodeRows,
  findPrefixObstacle,
  openEncoder,
  readHparams,
  readStrategy,
  trainClassifier,
} from '@joyul/training';
import type { Hparams, Strategy, TrainOptions, TrainResult, TrainingStart } from '@joyul/training';
import { describeEffect, keepAdapter, openAdapter } from './adapters.ts';

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

/** Tells what happens before the first iteration. */
function tellActivity({ emit }: Pick<Context, 'emit'>, { blocks }: Pick<Strategy, 'blocks'>): void {
  const activity = blocks.includes('embeddings') ? 'starting' : 'computing frozen layers';
  emit({ type: 'progress', activity, done: 0 });
}

/** What training cannot do is the step's failure. */
function throwAsFailure(error: unknown): never {
  if (error instanceof TrainingError)
    throw new StepFailure(error.code, error.message, { help: error.help, cause: error });
  throw error;
}

/** Tells what the process took, beside what was predicted. */
function tellMemory({ emit }: Pick<Context, 'emit'>, predictedBytes: number): void {
  const seenBytes = process.resourceUsage().maxRSS * 1024;
  const [seen, predicted] = [seenBytes, predictedBytes].map((bytes) => `${Math.round(bytes / 1e6)} MB`);
  emit({ type: 'finding', text: `The process took at most ${seen} of memory; ${predicted} were expected.` });
}

async function readInputs({ inputs }: Pick<Context, 'inputs'>): Promise<{
  readonly dataset: Awaited<ReturnType<typeof readDataset>>;
  readonly strategy: Strategy;
  readonly hparams: Hparams;
  readonly model: Awaited<ReturnType<typeof openEncoder>>;
  readonly tokenizer: Awaited<ReturnType<typeof openTokenizer>>;
}> {
  const [dataset, strategy, { values: hparams }, model, tokenizer] = await Promise.all([
    readDataset(inputs.dataset),
    readStrategy(inputs.strategy),
    readHparams(inputs.hparams),
    openEncoder(inputs.weights),
    openTokenizer(inputs.weights),
  ]);
  return { dataset, strategy, hparams, model, tokenizer };
}

/** Trains and writes the model. */
export async function runTrain(context: Context): Promise<void> {
  const { outputs, seed, backend, signal, scratch, sharedDir, emit } = context;
  const { dataset, strategy, hparams, model, tokenizer } = await readInputs(context);
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
    onWarning: (message) => {
      emit({ type: 'log', level: 'warning', message });
    },
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
  await writeHistory(outputs.trained, result, { strategy, hparams, perEpoch });
  tellMemory(context, predictedBytes);
  const seconds = (performance.now() - startMs) / 1000;
  tell(context, strategy, result, seconds / Math.max(1, result.iterations - resumedFrom));
}
