import type * as Tfjs from '@tensorflow/tfjs-core';
import type { Node } from '../ir.ts';

/** Computes a node's outputs from its inputs, inside a tidy scope. */
export type Kernel = (
  tf: typeof Tfjs,
  inputs: readonly Tfjs.Tensor[],
  node: Node,
) => Tfjs.Tensor | readonly Tfjs.Tensor[];

/** An input's value. */
export const at = (inputs: readonly Tfjs.Tensor[], index: number): Tfjs.Tensor => {
  const tensor = inputs[index];
  if (tensor === undefined) throw new Error(`Internal error: no input ${index}.`);
  return tensor;
};

/** The shape of a node's first output. */
export const shapeOf = (node: Node): number[] => [...(node.outputs[0]?.shape ?? [])];

/** The whole numbers of a constant input. */
export const numbers = (node: Node, index: number): number[] => [...(node.inputs[index]?.node.data ?? [])];

/**
 * a·b, each transposed first where that is asked for.
 *
 * WebAssembly multiplies two matrices quickly only when neither is transposed: to transpose one and then multiply
 * takes a tenth of the time.
 */
export function multiply(
  tf: typeof Tfjs,
  [a, b]: readonly [Tfjs.Tensor, Tfjs.Tensor],
  transposeA: boolean,
  transposeB: boolean,
): Tfjs.Tensor {
  if (a.rank > 2) return tf.matMul(a, b, transposeA, transposeB);
  return tf.matMul(transposeA ? tf.transpose(a) : a, transposeB ? tf.transpose(b) : b);
}

/** The sum over all axes but the last; as a product with ones it takes WebAssembly a sixteenth of the time. */
export function sumOfRows(tf: typeof Tfjs, x: Tfjs.Tensor): Tfjs.Tensor {
  const width = x.shape.at(-1) ?? 1;
  const rows = tf.reshape(x, [-1, width]);
  return tf.reshape(tf.matMul(tf.ones([1, rows.shape[0] ?? 0]), rows), [width]);
}
