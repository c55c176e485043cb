import type { Backend, Prefix, PrefixRequest, Problem, StepEvent } from '@joyul/plugin-api';

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
  readonly sharedDir: string;
  readonly seed: number;
  readonly backend?: Backend;
  readonly env: Readonly<Record<string, string>>;
  /** Variables that name the devices of the step; libraries read them when their process starts. */
  readonly devices: Readonly<Record<string, string>>;
}

/** To a worker. */
export type ToWorker =
  | { readonly kind: 'run'; readonly order: WorkOrder }
  | { readonly kind: 'abort' }
  /** The answers to `take-prefix`. */
  | { readonly kind: 'prefix'; readonly prefix: Prefix }
  | { readonly kind: 'no-prefix'; readonly message: string; readonly code?: string };

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
  /** The plugin's question; it waits for the answer. */
  | { readonly kind: 'take-prefix'; readonly request: PrefixRequest }
  | { readonly kind: 'done'; readonly cpuMs: number; readonly peakMemoryBytes: number }
  | { readonly kind: 'failed'; readonly failure: SentFailure };

/** What a finished attempt cost. */
export interface AttemptCost {
  readonly cpuMs?: number;
  readonly peakMemoryBytes?: number;
}

/** What an attempt tells and asks while it runs. */
export interface AttemptListener {
  onEvent(event: StepEvent): void;
  onOutput(stream: 'stdout' | 'stderr', text: string): void;
  takePrefix(request: PrefixRequest): Prefix;
}
