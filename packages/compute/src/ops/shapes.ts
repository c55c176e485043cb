import type { Tensor } from '../ir.ts';

/** The shape of an elementwise operation under NumPy's broadcasting rules. */
export function broadcastShapes(left: readonly number[], right: readonly number[]): readonly number[] {
  const rank = Math.max(left.length, right.length);
  return Array.from({ length: rank }, (_, index) => {
    const a = left[left.length - rank + index] ?? 1;
    const b = right[right.length - rank + index] ?? 1;
    if (a !== b && a !== 1 && b !== 1) {
      throw new Error(
        `Internal error: the shapes [${left.join(', ')}] and [${right.join(', ')}] do not fit together.`,
      );
    }
    return Math.max(a, b);
  });
}

/** Axes as whole numbers from 0; negative ones count from the end, absent means all. */
export function normalizeAxes(tensor: Tensor, axes: readonly number[] | undefined): readonly number[] {
  const rank = tensor.shape.length;
  return (axes ?? tensor.shape.map((_, index) => index)).map((axis) => (axis < 0 ? axis + rank : axis));
}

/** The length of one axis; negative axes count from the end. */
export function lengthOf(tensor: Tensor, axis: number): number {
  const length = tensor.shape.at(axis);
  if (length === undefined)
    throw new Error(`Internal error: no axis ${axis} in [${tensor.shape.join(', ')}].`);
  return length;
}
