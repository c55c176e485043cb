import type { Node, Tensor } from '../ir.ts';
import { reshape, sum } from '../ops/structure.ts';

/** Gradients of a node's inputs, given that of its first output; undefined where no gradient flows. */
export type Rule = (node: Node, gradient: Tensor, output: Tensor) => readonly (Tensor | undefined)[];

/** An input of a node. */
export const inputOf = (node: Node, index: number): Tensor => {
  const found = node.inputs[index];
  if (found === undefined) throw new Error(`Internal error: ${node.op} has no input ${index}.`);
  return found;
};

/** Sums a gradient over the axes along which its tensor was repeated. */
export function unbroadcast(gradient: Tensor, like: Tensor): Tensor {
  const extra = gradient.shape.length - like.shape.length;
  const axes = gradient.shape.flatMap((length, axis) =>
    axis < extra || (like.shape[axis - extra] === 1 && length !== 1) ? [axis] : [],
  );
  return axes.length === 0 ? gradient : reshape(sum(gradient, axes), like.shape);
}

/** A rule for x ∘ y, from the partial derivatives times the gradient. */
export const binary =
  (
    left: (g: Tensor, x: Tensor, y: Tensor) => Tensor,
    right: (g: Tensor, x: Tensor, y: Tensor) => Tensor,
  ): Rule =>
  (node, gradient) => {
    const [x, y] = [inputOf(node, 0), inputOf(node, 1)];
    return [unbroadcast(left(gradient, x, y), x), unbroadcast(right(gradient, x, y), y)];
  };

/** A rule for f(x), from the derivative times the gradient; y is f(x). */
export const unary =
  (derivative: (g: Tensor, x: Tensor, y: Tensor) => Tensor): Rule =>
  (node, gradient, output) => [derivative(gradient, inputOf(node, 0), output)];
