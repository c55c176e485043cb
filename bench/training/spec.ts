/** What one process is told to do, and what it says when it is done; `python/train.py` reads and writes the same. */

/** What is trained or computed; `decode` is greedy generation with a key-value cache, of one text or 8 at a time. */
export type Kind = 'full' | 'lora_qv' | 'lora_all' | 'top6' | 'forward' | 'minilm' | 'decode' | 'decode8';

/** `bfloat16` is PyTorch's autocast; with `-weights` the frozen weights are stored so as well. */
export type Precision = 'float32' | 'bfloat16' | 'bfloat16-weights';

/** One text; `labels` are tokens of which −100 does not count, or the index of a class. */
export interface Example {
  readonly input_ids: readonly number[];
  readonly labels: readonly number[] | number;
}

/** One case of one tool, in one process. */
export interface CaseSpec {
  /** `ours`, or a tool of python/train.py. */
  readonly tool: string;
  readonly kind: Kind;
  readonly precision: Precision;
  /** The model's folder. */
  readonly model: string;
  /** A JSON file with batches: lists of lists of {@link Example}. */
  readonly batches: string;
  /** The token that pads. */
  readonly pad: number;
  readonly classes: number;
  /** Whether each side may put texts together as it likes; then batches are read twice, and the first time is not counted. */
  readonly isRagged: boolean;
  /** Tokens of one packed sequence. */
  readonly packedLength: number;
  /** Tokens to generate after each prompt. */
  readonly newTokens: number;
  readonly threads: number;
  /** Seconds since 1970 at which the process was started. */
  readonly started: number;
  /** A folder for what a tool writes on the side. */
  readonly scratch: string;
  /** The file for the {@link CaseResult}. */
  readonly out: string;
}

/** One iteration. */
export interface Iteration {
  readonly wallS: number;
  /** User and system time of the process. */
  readonly cpuS: number;
  /** Cores that other processes kept busy meanwhile; null where the system does not tell. */
  readonly otherCores: number | null;
  readonly loss: number;
  /** Without padding. */
  readonly tokens: number;
}

/** What one process measured. */
export interface CaseResult {
  readonly iterations: readonly Iteration[];
  /** Seconds from the start of the process until the first loss was there. */
  readonly firstLossS: number;
  /** Resident memory at its peak. */
  readonly peakMiB: number;
  readonly threads: number;
  /** Versions and the like, in words. */
  readonly facts: string;
}
