import type { Problem, StepEvent } from '@joyul/plugin-api';
import type { ContinuedFrom } from '../util/continued-from.ts';

/** How a step ended. `blocked` means that an earlier step failed. */
export type StepEnd = 'succeeded' | 'reused' | 'failed' | 'blocked' | 'cancelled' | 'disabled';

/** One output of a step, as it is in the store. */
export interface ArtifactSummary {
  readonly port: string;
  readonly type: string;
  /** Digest of the artifact's content. */
  readonly digest: string;
  readonly files: number;
  readonly sizeBytes: number;
}

/** Why an attempt failed. */
export interface FailureSummary {
  /** Such as `train/LOSS_NOT_FINITE`, `TIMEOUT`, `WORKER_DIED`, `EXIT_CODE`. */
  readonly code: string;
  readonly message: string;
  readonly problems: readonly Problem[];
  readonly help?: string;
  /** Stack trace, shown only when asked for. */
  readonly stack?: string;
  /** The last lines that the step wrote. */
  readonly logTail: readonly string[];
  /** The exit code, where a program ended. */
  readonly exitCode?: number;
}

/** A step as the planner left it. */
export interface PlannedStep {
  readonly stepId: string;
  readonly plugin: string;
  readonly needs: readonly string[];
  readonly action: 'reuse' | 'run' | 'unknown' | 'blocked' | 'disabled';
  /** In words, such as `params.epochs changed from 2 to 3`. */
  readonly reason: string;
}

/** A value of a JSON file that differs; absent where the file does not have it. */
export interface ValueDifference {
  /** Its place in the file, with dots, such as `per_class.card.f1`. */
  readonly key: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** A file in which a step gave other content from the same inputs. */
export interface FileDifference {
  readonly port: string;
  /** Inside the output, with forward slashes; empty when the output is a single file. */
  readonly path: string;
  /** As it is stored; absent where it is not there. */
  readonly before?: { readonly digest: string; readonly sizeBytes: number };
  /** As the step gave it again; absent where it did not. */
  readonly after?: { readonly digest: string; readonly sizeBytes: number };
  /** The first line that differs; absent in files that are no text, or large. */
  readonly line?: { readonly number: number; readonly before?: string; readonly after?: string };
  /** What differs in a JSON file, the first of it; absent in all others. */
  readonly values?: readonly ValueDifference[];
  /** How many values differ in all; absent where `values` is. */
  readonly valueCount?: number;
}

/** The body of each event, without the envelope. */
export type EventBody =
  | {
      readonly kind: 'run-started';
      readonly runId: string;
      readonly pipeline: string;
      readonly file: string;
      readonly joyulVersion: string;
      readonly nodeVersion: string;
      /** The process that runs it: its id, a dash, and when it began as the system counts. */
      readonly process: string;
      /** What was typed after `run FILE`. */
      readonly flags: readonly string[];
      /** The run that this one goes on with; absent for one of its own. */
      readonly resumes?: string;
      /** Digest of what the pipeline's files say; absent where no file was read. */
      readonly graphDigest?: string;
      readonly seed: number;
      readonly params: unknown;
      readonly steps: readonly PlannedStep[];
    }
  | { readonly kind: 'step-waiting'; readonly stepId: string; readonly reason: string }
  | {
      readonly kind: 'step-started';
      readonly stepId: string;
      readonly attempt: number;
      readonly fingerprint: string;
      readonly reason: string;
    }
  | {
      readonly kind: 'step-event';
      readonly stepId: string;
      readonly attempt: number;
      readonly event: StepEvent;
    }
  | {
      readonly kind: 'step-output';
      readonly stepId: string;
      readonly stream: 'stdout' | 'stderr';
      readonly text: string;
    }
  | {
      readonly kind: 'attempt-failed';
      readonly stepId: string;
      readonly attempt: number;
      readonly failure: FailureSummary;
      /** Absent when there is no further attempt. */
      readonly retryInMs?: number;
    }
  | {
      readonly kind: 'step-ended';
      readonly stepId: string;
      readonly end: StepEnd;
      readonly reason: string;
      readonly fingerprint?: string;
      readonly outputs: readonly ArtifactSummary[];
      /** Wall time of the attempt that ended it; 0 when nothing ran. */
      readonly durationMs: number;
      readonly cpuMs?: number;
      /** Highest resident memory of the process that ran it. */
      readonly peakMemoryBytes?: number;
      /** Findings, curves and tables that were kept with the outputs; present when the step was reused. */
      readonly kept?: readonly StepEvent[];
      /** The shorter run that the result went on from. */
      readonly continuedFrom?: ContinuedFrom;
    }
  | {
      /** A step ran once more, to be compared with its stored result, which stays. */
      readonly kind: 'step-verified';
      readonly stepId: string;
      /** The first files that differ; empty when all is the same. */
      readonly differences: readonly FileDifference[];
      /** How many files differ in all. */
      readonly differing: number;
    }
  | { readonly kind: 'warning'; readonly code: string; readonly message: string; readonly help?: string }
  | {
      readonly kind: 'run-ended';
      readonly end: 'succeeded' | 'failed' | 'cancelled' | 'checkpointed';
      readonly counts: Readonly<Record<StepEnd, number>>;
      readonly durationMs: number;
    };

/** A fact in time: one line of a run's event file. */
export type Event = EventBody & {
  /** From 0, without gaps. */
  readonly sequence: number;
  /** Milliseconds since 1970. */
  readonly timeMs: number;
};
