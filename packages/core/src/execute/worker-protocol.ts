import type { Backend, Problem, StepEvent } from '@joyul/plugin-api';

/** What a worker is told to run: a context that can be sent to another process. */
export interface WorkOrder {
  /** The plugin's file. */
  readonly entry: string;
  readonly stepId: string;
  readonly params: unknown;
  readonly inputs: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly outputs: Readonly<Record<string, string>>;
  readonly scratch: string;
  readonly projectDir: string;
  readonly downloadDir: string;
  readonly seed: number;
  readonly backend?: Backend;
  readonly env: Readonly<Record<string, string>>;
  /** Variables that name the devices of the step; libraries read them when their process starts. */
  readonly devices: Readonly<Record<string, string>>;
}

/** To a worker. */
export type ToWorker = { readonly kind: 'run'; readonly order: WorkOrder } | { readonly kind: 'abort' };

/** A failure as it crosses to another process. */
export interface SentFailure {
  /** The name of the error's class, such as `StepFailure`. */
  readonly name: string;
  readonly code?: string;
  readonly message: string;
  readonly problems: readonly Problem[];
  readonly help?: string;
  readonly stack?: string;
}

/** From a worker. */
export type FromWorker =
  | { readonly kind: 'event'; readonly event: StepEvent }
  | { readonly kind: 'done'; readonly cpuMs: number; readonly peakMemoryBytes: number }
  | { readonly kind: 'failed'; readonly failure: SentFailure };

/** What a finished attempt cost. */
export interface AttemptCost {
  readonly cpuMs?: number;
  readonly peakMemoryBytes?: number;
}

/** What an attempt tells while it runs. */
export interface AttemptListener {
  onEvent(event: StepEvent): void;
  onOutput(stream: 'stdout' | 'stderr', text: string): void;
}
