import type { ChosenPrecision, MemoryPrediction } from '@joyul/compute';
import type { Backend } from '@joyul/plugin-api';
import type { Adapter, BertFolder, NamedTensor } from '@joyul/models';
import type { Example } from './batches.ts';
import type { Evaluation, TrainingState } from './checkpoint.ts';
import type { Hparams, Strategy } from './formats.ts';
import type { Trainability } from './trainability.ts';
import type { StateType } from './trunk/trunk-key.ts';
import type { TrunkReport } from './trunk/trunk-states.ts';
import type { Workshop } from './workshop.ts';

/** What training needs. */
export interface TrainOptions {
  /** Weights to start from, with a head. */
  readonly model: BertFolder;
  readonly labels: readonly string[];
  readonly train: readonly Example[];
  readonly validation: readonly Example[];
  readonly padId: number;
  readonly strategy: Pick<Strategy, 'blocks' | 'pooling'>;
  /** The adapter to start from; what it adapts stays frozen. */
  readonly adapter?: Adapter;
  readonly hparams: Hparams;
  readonly seed: number;
  readonly backend?: Backend;
  /** The folder in which steps and runs of a project share states of frozen layers; absent: they are kept for this training. */
  readonly sharedDir?: string;
  /** How states of frozen layers are stored; the default is float16. */
  readonly stateType?: StateType;
  /** What several trainings of one model on one data set share; absent: nothing. */
  readonly workshop?: Workshop;
  readonly onWarning?: (message: string) => void;
  /** Where checkpoints are kept; absent means none. */
  readonly scratchDir?: string;
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
  readonly onEvaluation?: (evaluation: Evaluation) => void;
  readonly onStart?: (start: TrainingStart) => void;
}

/** Told once, before the first iteration. */
export interface TrainingStart {
  /** The first layer that is computed each iteration; absent when nothing is frozen below. */
  readonly cut: number | undefined;
  /** The element type inside matrix products. */
  readonly precision: ChosenPrecision;
  /** What the states of the frozen layers took; absent when none are kept. */
  readonly trunk: TrunkReport | undefined;
  /** Iterations that a checkpoint had done. */
  readonly resumedFrom: number;
  /** What was measured until then. */
  readonly before: Pick<TrainingState, 'trainLosses' | 'evaluations'>;
  readonly totalIterations: number;
  /** What training is expected to take. */
  readonly memory: MemoryPrediction;
}

/** What training gives. */
export interface TrainResult {
  /** Every weight after training, the best ones by validation accuracy, then loss; an adapter is merged into them. */
  readonly weights: ReadonlyMap<string, NamedTensor>;
  /** The trained adapter with the head; absent where none was trained. */
  readonly adapter?: Adapter;
  readonly trainability: Trainability;
  readonly evaluations: readonly Evaluation[];
  readonly trainLosses: TrainingState['trainLosses'];
  readonly best: Evaluation;
  readonly iterations: number;
  readonly stopReason: string;
}

/** Training cannot go on: the loss is not finite, nothing learns, or memory would run out. */
export class TrainingError extends Error {
  readonly code: 'LOSS_NOT_FINITE' | 'NO_GRADIENT' | 'NO_ROWS' | 'OUT_OF_MEMORY';
  readonly help: string;

  constructor(code: TrainingError['code'], message: string, help: string) {
    super(message);
    this.name = 'TrainingError';
    this.code = code;
    this.help = help;
  }
}
