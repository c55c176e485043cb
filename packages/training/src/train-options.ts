import type { ChosenPrecision, MemoryPrediction } from '@joyul/compute';
import type { Backend } from '@joyul/plugin-api';
import type { Adapter, BertFolder, NamedTensor } from '@joyul/models';
import type { Example } from './batches.ts';
import type { Evaluation, EvaluationPoint, TrainingState } from './checkpoint.ts';
import type { Hparams, Strategy } from './formats.ts';
import type { Trainability } from './trainability.ts';
import type { StateType } from './trunk/trunk-key.ts';
import type { TrunkReport } from './trunk/trunk-states.ts';
import type { Workshop } from './workshop.ts';

/** What every training needs, whatever the task. */
export interface LoopOptions<E extends EvaluationPoint> {
  readonly hparams: Hparams;
  readonly seed: number;
  readonly backend?: Backend;
  /** What several trainings of one model on one data set share; absent: nothing. */
  readonly workshop?: Workshop;
  readonly onWarning?: (message: string) => void;
  /** Where checkpoints are kept; absent means none. */
  readonly scratchDir?: string;
  /** Iterations between checkpoints, besides those at evaluations; they decide nothing but what a crash may cost. */
  readonly saveSteps?: number;
  /**
   * Asks for what training for fewer epochs left, told how many are done already; what it gives goes beyond them, and
   * everything but the number of epochs is the same. At the end the last state goes into the folder `keep`.
   */
  readonly takePrefix?: (doneEpochs: number) => Promise<{ readonly from?: string; readonly keep?: string }>;
  readonly signal?: AbortSignal;
  /** Bytes that this process may take in all; absent means what the machine and its control groups leave. */
  readonly memoryLimitBytes?: number;
  readonly onIteration?: (point: {
    readonly iteration: number;
    readonly total: number;
    readonly loss: number;
    readonly gradientNorm: number;
  }) => void;
  readonly onEvaluation?: (evaluation: E) => void;
}

/** What training a classifier needs. */
export interface TrainOptions extends LoopOptions<Evaluation> {
  /** Weights to start from, with a head. */
  readonly model: BertFolder;
  readonly labels: readonly string[];
  readonly train: readonly Example[];
  readonly validation: readonly Example[];
  readonly padId: number;
  readonly strategy: Pick<Strategy, 'blocks' | 'pooling'>;
  /** The adapter to start from; what it adapts stays frozen. */
  readonly adapter?: Adapter;
  /** The folder in which steps and runs of a project share states of frozen layers; absent: they are kept for this training. */
  readonly sharedDir?: string;
  /** How states of frozen layers are stored; the default is float16. */
  readonly stateType?: StateType;
  readonly onStart?: (start: TrainingStart) => void;
}

/** Told once, before the first iteration. */
export interface LoopStart<E extends EvaluationPoint> {
  /** The element type inside matrix products. */
  readonly precision: ChosenPrecision;
  /** Iterations that a checkpoint had done. */
  readonly resumedFrom: number;
  /** What was measured until then. */
  readonly before: Pick<TrainingState<E>, 'trainLosses' | 'evaluations'>;
  readonly totalIterations: number;
  /** What training is expected to take. */
  readonly memory: MemoryPrediction;
}

/** {@link LoopStart} of a classifier. */
export interface TrainingStart extends LoopStart<Evaluation> {
  /** The first layer that is computed each iteration; absent when nothing is frozen below. */
  readonly cut: number | undefined;
  /** What the states of the frozen layers took; absent when none are kept. */
  readonly trunk: TrunkReport | undefined;
}

/** What training gives. */
export interface TrainResult<E extends EvaluationPoint = Evaluation> {
  /** Every weight after training, those of the best evaluation; an adapter is merged into them. */
  readonly weights: ReadonlyMap<string, NamedTensor>;
  /** The trained adapter, a classifier's with its head; absent where none was trained. */
  readonly adapter?: Adapter;
  readonly trainability: Trainability;
  readonly evaluations: readonly E[];
  readonly trainLosses: TrainingState<E>['trainLosses'];
  readonly best: E;
  readonly iterations: number;
  readonly stopReason: string;
}

/** Training cannot go on: the loss is not finite, nothing learns, or memory would run out. */
export class TrainingError extends Error {
  readonly code: 'LOSS_NOT_FINITE' | 'NO_GRADIENT' | 'NO_MASKED_HEAD' | 'NO_ROWS' | 'OUT_OF_MEMORY';
  readonly help: string;

  constructor(code: TrainingError['code'], message: string, help: string) {
    super(message);
    this.name = 'TrainingError';
    this.code = code;
    this.help = help;
  }
}

/** Refuses to train on nothing, or to judge by nothing. */
export function requireRows(train: readonly unknown[], validation: readonly unknown[]): void {
  if (train.length > 0 && validation.length > 0) return;
  throw new TrainingError(
    'NO_ROWS',
    `There are ${train.length} rows to train on and ${validation.length} to validate on.`,
    'Give prepare more rows, or another split.',
  );
}
