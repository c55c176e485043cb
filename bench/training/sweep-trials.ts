/** What both sides of the sweep do. */
export interface SweepTrial {
  /** Layers that are trained, from the top. */
  readonly top: number;
  readonly learningRate: number;
}

/** One trial, done. */
export interface TrialResult extends SweepTrial {
  /** Accuracies. */
  readonly validation: number;
  /** Mean cross-entropy on the same rows; it decides between equal accuracies. */
  readonly validationLoss: number;
  /** Absent for trials that cannot be the best. */
  readonly test?: number;
}

/** What one side reports. */
export interface SweepResult {
  readonly trials: readonly TrialResult[];
  readonly wallS: number;
  readonly cpuS: number;
  readonly peakMemoryBytes: number;
}

/** What a process of ours is told to do. */
export interface SweepJob {
  readonly data: string;
  readonly model: string;
  readonly sharedDir: string;
  readonly trials: readonly SweepTrial[];
  readonly precision: 'auto' | 'float32' | 'bfloat16';
}

/** What a process of ours reports. */
export interface JobResult {
  readonly trials: readonly TrialResult[];
  /** Milliseconds since 1970. */
  readonly startMs: number;
  readonly endMs: number;
  readonly cpuS: number;
  readonly peakMemoryBytes: number;
  readonly precision: string;
  readonly notes: readonly string[];
}

/** The trial that the validation split chooses. */
export const winnerOf = <T extends TrialResult>(trials: readonly T[]): T | undefined =>
  trials.toSorted(
    (left, right) => right.validation - left.validation || left.validationLoss - right.validationLoss,
  )[0];

const rates = [1e-4, 3e-4, 1e-3, 2e-3];

/** Two depths, four learning rates each. */
export const sweepTrials: readonly SweepTrial[] = [2, 1].flatMap((top) =>
  rates.map((learningRate) => ({ top, learningRate })),
);

/** Trials by process: each gets about the same number of trained layers, and neighbours stay together. */
export function shareTrials(
  trials: readonly SweepTrial[],
  processes: number,
): readonly (readonly SweepTrial[])[] {
  const total = trials.reduce((sum, trial) => sum + trial.top, 0);
  const parts: SweepTrial[][] = Array.from({ length: processes }, () => []);
  let done = 0;
  for (const trial of trials) {
    parts[Math.min(processes - 1, Math.floor((done * processes) / total))]?.push(trial);
    done += trial.top;
  }
  // Shallow ones first: what a deep one needs from the shared store, another process has written meanwhile.
  return parts.filter((part) => part.length > 0).map((part) => part.toSorted((a, b) => a.top - b.top));
}
