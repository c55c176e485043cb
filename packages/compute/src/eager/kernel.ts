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
