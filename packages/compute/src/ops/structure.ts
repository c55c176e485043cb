import type { DType, Tensor } from '../ir.ts';
import { constant, makeTensor, sizeOf } from '../ir.ts';
import { lengthOf, normalizeAxes } from './shapes.ts';

/** The same elements in another shape; one length may be −1. */
export function reshape(x: Tensor, shape: readonly number[]): Tensor {
  const known = shape.filter((length) => length !== -1).reduce((a, b) => a * b, 1);
  const full = shape.map((length) => (length === -1 ? sizeOf(x.shape) / known : length));
  if (sizeOf(full) !== sizeOf(x.shape)) {
    throw new Error(`Internal error: [${x.shape.join(', ')}] cannot become [${full.join(', ')}].`);
  }
  return makeTensor('Reshape', [x, constant(full, [full.length], 'int32')], full, x.dtype);
}

/** Axes in another order. */
export function transpose(x: Tensor, permutation: readonly number[]): Tensor {
  const shape = permutation.map((axis) => lengthOf(x, axis));
  const long = permutation.filter((axis) => lengthOf(x, axis) > 1);
  // Where only axes of length 1 change places, the elements stay where they are.
  if (long.every((axis, index) => index === 0 || axis > (long[index - 1] ?? 0))) return reshape(x, shape);
  return makeTensor('Transpose', [x, constant(permutation, [permutation.length], 'int32')], shape, x.dtype);
}

/** A box of `size` from `begin`; −1 in `size` means to the end. */
export function slice(x: Tensor, begin: readonly number[], size: readonly number[]): Tensor {
  const shape = size.map((length, axis) => (length === -1 ? lengthOf(x, axis) - (begin[axis] ?? 0) : length));
  const rank = shape.length;
  return makeTensor(
    'Slice',
    [x, constant(begin, [rank], 'int32'), constant(shape, [rank], 'int32')],
    shape,
    x.dtype,
  );
}

/**
 * x with the box that starts at `begin` (int32 [rank], known only when it runs) replaced by `value`; the box lies
 * inside x. It has no gradient.
 */
export function updateSlice(x: Tensor, value: Tensor, begin: Tensor): Tensor {
  return makeTensor('DynamicUpdateSlice', [x, value, begin], x.shape, x.dtype);
}

/** Zeros before and after x along each axis. */
export function pad(x: Tensor, amounts: readonly (readonly [before: number, after: number])[]): Tensor {
  if (amounts.every(([before, after]) => before === 0 && after === 0)) return x;
  const shape = x.shape.map((length, axis) => length + (amounts[axis]?.[0] ?? 0) + (amounts[axis]?.[1] ?? 0));
  return makeTensor('Pad', [x, constant(amounts.flat(), [amounts.length, 2], 'int32')], shape, x.dtype);
}

/** Tensors joined along one axis. */
export function concat(parts: readonly Tensor[], axis: number): Tensor {
  const [first] = parts;
  if (first === undefined) throw new Error('Internal error: nothing to join.');
  if (parts.length === 1) return first; // TensorFlow joins two or more.
  const shape = first.shape.map((length, index) =>
    index === axis ? parts.reduce((sum, part) => sum + lengthOf(part, axis), 0) : length,
  );
  return makeTensor('ConcatV2', [...parts, constant([axis], [], 'int32')], shape, first.dtype, {
    count: parts.length,
  });
}

/** Repeats x to a larger shape. */
export function broadcastTo(x: Tensor, shape: readonly number[]): Tensor {
  return makeTensor('BroadcastTo', [x, constant(shape, [shape.length], 'int32')], shape, x.dtype);
}

/** Rows of `table` [rows, …] by index; the result has the indices' shape, then the row's. */
export function gather(table: Tensor, indices: Tensor): Tensor {
  const shape = [...indices.shape, ...table.shape.slice(1)];
  return makeTensor('GatherV2', [table, indices, constant([0], [], 'int32')], shape, table.dtype);
}

/** Sums the rows of `values` [n, …] into `count` rows chosen by `indices` [n]. */
export function segmentSum(values: Tensor, indices: Tensor, count: number): Tensor {
  const inputs = [values, indices, constant([count], [], 'int32')];
  return makeTensor(
    'UnsortedSegmentSum',
    inputs,
    [count, ...values.shape.slice(indices.shape.length)],
    values.dtype,
    { count },
  );
}

/** 1 at each index of a new last axis, 0 elsewhere. */
export function oneHot(indices: Tensor, depth: number, dtype: DType = 'float32'): Tensor {
  const inputs = [
    indices,
    constant([depth], [], 'int32'),
    constant([1], [], dtype),
    constant([0], [], dtype),
  ];
  return makeTensor('OneHot', inputs, [...indices.shape, depth], dtype, { depth });
}

function reduce(op: string, x: Tensor, axes: readonly number[] | undefined, keepDims: boolean): Tensor {
  const list = normalizeAxes(x, axes);
  const shape = keepDims
    ? x.shape.map((length, axis) => (list.includes(axis) ? 1 : length))
    : x.shape.filter((_, axis) => !list.includes(axis));
  return makeTensor(op, [x, constant(list, [list.length], 'int32')], shape, x.dtype, {
    axes: list,
    keepDims,
  });
}

/** Sum over axes (all when absent). */
export const sum = (x: Tensor, axes?: readonly number[], keepDims = false): Tensor =>
  reduce('Sum', x, axes, keepDims);
/** Sum over all axes but the last: the gradient of a bias that was added to x. */
export const sumRows = (x: Tensor): Tensor => makeTensor('BiasAddGrad', [x], x.shape.slice(-1), x.dtype);
/** Σ x² / 2, shape []. */
export const halfSumOfSquares = (x: Tensor): Tensor => makeTensor('L2Loss', [x], [], x.dtype);
/** Mean over axes (all when absent). */
export const mean = (x: Tensor, axes?: readonly number[], keepDims = false): Tensor =>
  reduce('Mean', x, axes, keepDims);
/** Maximum over axes (all when absent); it has no gradient. */
export const max = (x: Tensor, axes?: readonly number[], keepDims = false): Tensor =>
  reduce('Max', x, axes, keepDims);

/** The index of the largest element along the last axis, int32. */
export function argMax(x: Tensor): Tensor {
  return makeTensor(
    'ArgMax',
    [x, constant([x.shape.length - 1], [], 'int32')],
    x.shape.slice(0, -1),
    'int32',
  );
}

/** x as it is; with products in bfloat16 it is kept in bfloat16 for all its readers, of which some are products. */
export function keptAsOperand(x: Tensor): Tensor {
  const custom = { inputs: [x], backward: (gradient: Tensor) => [gradient] };
  return makeTensor('Identity', [x], x.shape, x.dtype, { isOperand: true }, { custom });
}

/** x as it is, but no gradient flows through it. */
export function stopGradient(x: Tensor): Tensor {
  return makeTensor('Identity', [x], x.shape, x.dtype, {}, { custom: { inputs: [], backward: () => [] } });
}

/**
 * x as it is, but computed only once `first` is there, and not seen to be x by what merges equal operations.
 *
 * No gradient flows through it.
 */
export function after(x: Tensor, first: Tensor): Tensor {
  return makeTensor(
    'After',
    [x, first],
    x.shape,
    x.dtype,
    {},
    { custom: { inputs: [], backward: () => [] } },
  );
}

/** `output`, whose gradient is given by `backward` instead of by its own operations. */
export function withGradient(
  output: Tensor,
  inputs: readonly Tensor[],
  backward: (gradient: Tensor, needed: readonly boolean[]) => readonly (Tensor | undefined)[],
): Tensor {
  return makeTensor('Identity', [output], output.shape, output.dtype, {}, { custom: { inputs, backward } });
}
