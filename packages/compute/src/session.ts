import type { Backend } from '@joyul/plugin-api';
import type { TensorData } from './ir.ts';

/** Values by name, for the inputs of an entry; a number stands for a scalar. */
export type Feeds = Readonly<Record<string, TensorData | number>>;

/** A program with its variables, ready to run; one call at a time. */
export interface Session {
  readonly backend: Backend;
  /** The element type inside matrix products; everything else is float32. */
  readonly matmul: 'float32' | 'bfloat16';
  /** Sets variables, all in one call; absent names keep their value. */
  write(values: Readonly<Record<string, Float32Array>>): Promise<void>;
  /** Runs an entry and gives its outputs. */
  run(entry: string, feeds: Feeds): Promise<Record<string, TensorData>>;
  /** The values of variables; with products in bfloat16, of a weight that is never trained and only they read, the rounded ones. */
  read(names: readonly string[]): Promise<Record<string, Float32Array>>;
  /** Frees everything; the session cannot be used any more. */
  dispose(): void;
}
