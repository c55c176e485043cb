import type { Backend } from '@joyul/plugin-api';
import type { TensorData } from './ir.ts';

/** Values by name, for the inputs of an entry; a number stands for a scalar. */
export type Feeds = Readonly<Record<string, TensorData | number>>;

/** A variable's numbers; 0 stands for zeros everywhere, which are made where the variable is. */
export type VariableValue = Float32Array | 0;

/** Values of variables: by name, or one after the other, so that not all have to be in memory at once. */
export type VariableValues =
  | Readonly<Record<string, VariableValue>>
  | Iterable<readonly [name: string, value: VariableValue]>
  | AsyncIterable<readonly [name: string, value: VariableValue]>;

/** The values one after the other. */
export function eachValue(
  values: VariableValues,
): Iterable<readonly [string, VariableValue]> | AsyncIterable<readonly [string, VariableValue]> {
  return isIterable(values) ? values : Object.entries(values);
}

const isIterable = (
  values: VariableValues,
): values is Exclude<VariableValues, Record<string, VariableValue>> =>
  Symbol.iterator in values || Symbol.asyncIterator in values;

/** A program with its variables, ready to run; one call at a time. */
export interface Session {
  readonly backend: Backend;
  /** The element type inside matrix products; everything else is float32. */
  readonly matmul: 'float32' | 'bfloat16';
  /** Sets variables, a few dozen megabytes in each call; absent names keep their value, unknown ones are passed over. */
  write(values: VariableValues): Promise<void>;
  /** Runs an entry and gives its outputs. */
  run(entry: string, feeds: Feeds): Promise<Record<string, TensorData>>;
  /**
   * The values of variables.
   *
   * @throws for a weight that is kept in bfloat16 alone: one that is never trained and that only products read.
   */
  read(names: readonly string[]): Promise<Record<string, Float32Array>>;
  /** Frees everything; the session cannot be used any more. */
  dispose(): void;
}
