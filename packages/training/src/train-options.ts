import type { ChosenPrecision } from '@joyul/compute';
import type { Backend } from '@joyul/plugin-api';
import type { BertFolder, NamedTensor } from '@joyul/models';
import type { Example } from './batches.ts';
import type { Evaluation, TrainingState } from './checkpoint.ts';
import type { Hparams, Strategy } from './formats.ts';
import type { Trainability } from './trainability.ts';

/** What training needs. */
export interface TrainOptions {
  /** Weights to start from, with a head. */
  readonly model: BertFolder;
  readonly labels: readonly string[];
  readonly train: readonly Example[];
  readonly validation: readonly Example[];
  readonly padId: number;
  readonly strategy: Pick<Strategy, 'blocks' | 'pooling'>;
  readonly hparams: Hparams;
  readonly seed: number;
  readonly backend?: Backend;
  /** Where checkpoints are kept; absent means none. */
  readonly scratchDir?: string;
  /**
   * Asks for what training for fewer epochs left, told how many are done already; what it gives goes beyond them, and
   * everything but the number of epochs is the same. At the end the last state goes into the folder `keep`.
   */
  readonly takePrefix?: (doneEpochs: number) => Promise<{ readonly from?: string; readonly keep?: string }>;
  readonly signal?: AbortSignal;
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
  /** Milliseconds that the frozen layers took, once. */
  readonly trunkMs: number;
  /** The element type inside matrix products. */
  readonly precision: ChosenPrecision;
  /** Iterations that a checkpoint had done. */
  readonly resumedFrom: number;
  /** What was measured until then. */
  readonly before: Pick<TrainingState, 'trainLosses' | 'evaluations'>;
  readonly totalIterations: number;
}

/** What training gives. */
export interface TrainResult {
  /** Every weight after training, the best ones by validation accuracy, then loss. */
  readonly weights: ReadonlyMap<string, NamedTensor>;
  readonly trainability: Trainability;
  readonly evaluations: readonly Evaluation[];
  readonly trainLosses: TrainingState['trainLosses'];
  readonly best: Evaluation;
  readonly iterations: number;
  readonly stopReason: string;
}

/** Training cannot go on: the loss is not finite, or nothing learns. */
export class TrainingError extends Error {
  readonly code: 'LOSS_NOT_FINITE' | 'NO_GRADIENT' | 'NO_ROWS';
  readonly help: string;

  constructor(code: TrainingError['code'], message: string, help: string) {
    super(message);
    this.name = 'TrainingError';
    this.code = code;
    this.help = help;
  }
}
