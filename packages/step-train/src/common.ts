/** What training of any kind tells and writes. */
import { percent } from '@joyul/metrics';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { chooseBackend, choosePrecision } from '@joyul/compute';
import { StepFailure } from '@joyul/plugin-api';
import type { StepContext } from '@joyul/plugin-api';
import { TrainingError, findPrefixObstacle } from '@joyul/training';
import { describeEffect } from './adapters.ts';
import type { TrainParams } from './index.ts';
import type {
  EvaluationPoint,
  Hparams,
  LoopOptions,
  LoopStart,
  Strategy,
  TrainResult,
} from '@joyul/training';

type Ports = {
  readonly dataset: { readonly type: 'dataset' };
  readonly weights: { readonly type: 'weights' };
  readonly strategy: { readonly type: 'strategy' };
  readonly hparams: { readonly type: 'hparams' };
};
/** What the step's files use of its context. */
export type Context = StepContext<
  TrainParams,
  Ports,
  { readonly trained: { readonly type: 'trained-model' } }
>;

/** What a training was done with, and what its evaluations say besides the loss, by Hugging Face's names. */
interface History<E extends EvaluationPoint> {
  readonly strategy: Strategy;
  readonly hparams: Hparams;
  readonly perEpoch: number;
  readonly metricsOf: (point: E) => Readonly<Record<string, number>>;
  /** Ids of the unlabelled texts that were kept aside to judge; absent where labelled rows were learned. */
  readonly aside?: readonly string[];
}

/** The history in the layout of Hugging Face's trainer_state.json. */
function makeTrainerState<E extends EvaluationPoint>(
  result: TrainResult<E>,
  { hparams, perEpoch, metricsOf }: History<E>,
): unknown {
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
    ...metricsOf(point),
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

const curves = { trainingLoss: 'training loss', validationLoss: 'validation loss' } as const;

/** The curves of an evaluation besides the loss, by name. */
type CurvesOf<E> = (evaluation: E) => Readonly<Record<string, number>>;

function emitEvaluation<E extends EvaluationPoint>(
  { emit }: Pick<Context, 'emit'>,
  evaluation: E,
  curvesOf: CurvesOf<E>,
): void {
  const { iteration: x, loss } = evaluation;
  for (const [name, y] of Object.entries({ [curves.validationLoss]: loss, ...curvesOf(evaluation) }))
    emit({ type: 'curve', name, x, y });
}

/** Tells how training goes while it goes. */
export function makeListeners<E extends EvaluationPoint>(
  context: Pick<Context, 'emit'>,
  curvesOf: CurvesOf<E> = () => ({}),
): Pick<LoopOptions<E>, 'onIteration' | 'onEvaluation' | 'onWarning'> {
  const { emit } = context;
  return {
    onWarning: (message) => {
      emit({ type: 'log', level: 'warning', message });
    },
    onIteration: ({ iteration, total, loss }) => {
      const detail = `loss ${loss.toFixed(3)}`;
      emit({ type: 'progress', activity: 'training', done: iteration, total, unit: 'iterations', detail });
      emit({ type: 'curve', name: curves.trainingLoss, x: iteration, y: loss });
    },
    onEvaluation: (evaluation) => {
      emitEvaluation(context, evaluation, curvesOf);
    },
  };
}

/** Tells of a checkpoint that training goes on from, and what was measured until then, so that curves are whole. */
export function tellBefore<E extends EvaluationPoint>(
  { before, resumedFrom }: LoopStart<E>,
  context: Pick<Context, 'emit'>,
  curvesOf: CurvesOf<E> = () => ({}),
): void {
  const { emit } = context;
  if (resumedFrom > 0)
    emit({ type: 'finding', text: `Went on from a checkpoint after iteration ${resumedFrom}.` });
  for (const { iteration, loss } of before.trainLosses)
    emit({ type: 'curve', name: curves.trainingLoss, x: iteration + 1, y: loss });
  for (const evaluation of before.evaluations) emitEvaluation(context, evaluation, curvesOf);
}

/** Remembers how a training began, and says in what its products are. */
export class StartWatch<E extends EvaluationPoint> {
  readonly #context: Pick<Context, 'emit'>;
  readonly #hparams: Hparams;
  #start: LoopStart<E> | undefined;
  #startMs = performance.now();

  constructor(context: Pick<Context, 'emit'>, hparams: Hparams) {
    this.#context = context;
    this.#hparams = hparams;
  }

  /** Told once, before the first iteration. */
  begin(start: LoopStart<E>): void {
    this.#start = start;
    this.#startMs = performance.now();
    if (this.#hparams.precision !== 'float32')
      this.#context.emit({ type: 'finding', text: start.precision.reason });
  }

  /** Iterations of an epoch. */
  get perEpoch(): number {
    return this.#start === undefined ? 1 : this.#start.totalIterations / this.#hparams.epochs;
  }

  get predictedBytes(): number {
    return this.#start?.memory.totalBytes ?? 0;
  }

  /** Seconds since the first iteration began. */
  get seconds(): number {
    return (performance.now() - this.#startMs) / 1000;
  }

  /** Seconds an iteration took, of those that were done here. */
  secondsEach(iterations: number): number {
    return this.seconds / Math.max(1, iterations - (this.#start?.resumedFrom ?? 0));
  }

  /** Seconds that all iterations take, those before a checkpoint included. */
  secondsOf(iterations: number): number {
    return iterations * this.secondsEach(iterations);
  }
}

/** Fails when weights did not move as planned. */
export function checkTrainability({ trainability: { violations } }: Pick<TrainResult, 'trainability'>): void {
  if (violations.length === 0) return;
  throw new StepFailure('TRAINABILITY', 'Weights did not move as planned.', {
    problems: violations.map((message) => ({ message })),
    help: 'This is a fault in the training code or in the strategy: please report it.',
  });
}

/** Says what computes, as a warning where a faster way is missing. */
export function tellBackend({ backend, emit }: Pick<Context, 'backend' | 'emit'>): void {
  const { name, reason } = chooseBackend(backend);
  const isSlow = name === 'wasm' && backend === undefined;
  emit({ type: 'finding', text: reason, ...(isSlow ? { weight: 'warning' as const } : {}) });
}

/** What of an outcome is told in each task's own words. */
interface OutcomeWords {
  readonly headline: string;
  /** What was trained, such as `layer.5 and the head`; absent: it goes without saying. */
  readonly what?: string;
  /** Which weights are kept. */
  readonly kept: string;
  /** Seconds. */
  readonly perIteration: number;
}

/** Tells how a training ended, what moved and what did not. */
export function tellOutcome<E extends EvaluationPoint>(
  { emit }: Pick<Context, 'emit'>,
  { trainability, best, stopReason }: TrainResult<E>,
  { headline, what, kept, perIteration }: OutcomeWords,
): void {
  const isUnchanged = best.iteration === 0;
  if (isUnchanged)
    emit({
      type: 'finding',
      weight: 'warning',
      text: 'No evaluation was better than the starting weights, so these are kept and nothing was tuned: try a lower learning rate, or more data.',
    });
  emit({ type: 'finding', weight: 'headline', text: headline });
  const share = percent(trainability.trainedWeights / trainability.totalWeights);
  emit({
    type: 'finding',
    text: `Trained ${trainability.trainedTensors} of ${trainability.tensors.length} tensors, ${share} of all weights${what === undefined ? '' : ` (${what})`}; digests prove that the rest did not move.`,
  });
  if (trainability.effective !== undefined && !isUnchanged)
    emit({ type: 'finding', text: describeEffect(trainability.effective) });
  emit({
    type: 'finding',
    text: `Training ended because ${stopReason}; ${kept}. ${perIteration.toFixed(2)} s an iteration.`,
  });
}

/** Asks the engine for what training for fewer epochs left: all else that decides a run of epochs is the key. */
export function makeTakePrefix(
  { epochs, ...others }: Hparams,
  { backend, takePrefix }: Context,
): NonNullable<LoopOptions<EvaluationPoint>['takePrefix']> {
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
export async function writeHistory<E extends EvaluationPoint>(
  dir: string,
  result: TrainResult<E>,
  of: History<E>,
): Promise<void> {
  const { trainability, best, evaluations, iterations, stopReason } = result;
  const { strategy, hparams, aside } = of;
  const write = (name: string, value: unknown): Promise<void> =>
    writeFile(join(dir, name), `${JSON.stringify(value, null, 2)}\n`);
  await write('trainability.json', trainability);
  await write('trainer_state.json', makeTrainerState(result, of));
  await write('training.json', {
    version: 1,
    strategy,
    hparams,
    best,
    evaluations,
    iterations,
    stopReason,
    ...(aside === undefined ? {} : { aside }),
  });
}

/** What training cannot do is the step's failure. */
export function throwAsFailure(error: unknown): never {
  if (error instanceof TrainingError)
    throw new StepFailure(error.code, error.message, { help: error.help, cause: error });
  throw error;
}

/** Tells what the process took, beside what was predicted. */
export function tellMemory({ emit }: Pick<Context, 'emit'>, predictedBytes: number): void {
  const seenBytes = process.resourceUsage().maxRSS * 1024;
  const [seen, predicted] = [seenBytes, predictedBytes].map((bytes) => `${Math.round(bytes / 1e6)} MB`);
  emit({ type: 'finding', text: `The process took at most ${seen} of memory; ${predicted} were expected.` });
}
