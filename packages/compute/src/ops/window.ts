import { lengthOf } from './shapes.ts';
import type { Attributes, Tensor } from '../ir.ts';

/** Zeros around an image: [top, bottom, left, right]. */
export type PaddingAmounts = readonly [top: number, bottom: number, left: number, right: number];

/** `valid` is no padding; `same` gives ⌈length / stride⌉ positions, with the odd zero below and to the right. */
export type Padding = 'same' | 'valid' | PaddingAmounts;

/** How a window moves over an image [batch, height, width, channels]. */
export interface WindowOptions {
  /** Down and to the right; the default is [1, 1]. */
  readonly strides?: readonly [number, number];
  /** The default is `valid`. */
  readonly padding?: Padding;
}

/** A window's place on an image of a known size. */
interface PlacedWindow {
  /** [height, width] of the result. */
  readonly size: readonly [number, number];
  /** `strides` [down, right], `padding` in TensorFlow's words, `amounts` of zeros [top, bottom, left, right]. */
  readonly attributes: Attributes;
}

/** Where a window of `kernel` [height, width] stops on x [batch, height, width, channels]. */
export function placeWindow(
  x: Tensor,
  kernel: readonly [number, number],
  options: WindowOptions,
): PlacedWindow {
  const { strides = [1, 1], padding = 'valid' } = options;
  const amounts = ([0, 1] as const).flatMap((axis) => {
    if (padding === 'valid') return [0, 0];
    if (padding !== 'same') return padding.slice(2 * axis, 2 * axis + 2);
    const length = lengthOf(x, axis + 1);
    const missing = (Math.ceil(length / strides[axis]) - 1) * strides[axis] + kernel[axis] - length;
    return [Math.floor(Math.max(missing, 0) / 2), Math.ceil(Math.max(missing, 0) / 2)];
  });
  const count = (axis: 0 | 1): number => {
    const padded = lengthOf(x, axis + 1) + (amounts[2 * axis] ?? 0) + (amounts[2 * axis + 1] ?? 0);
    return Math.floor((padded - kernel[axis]) / strides[axis]) + 1;
  };
  const name = padding === 'same' ? 'SAME' : padding === 'valid' ? 'VALID' : 'EXPLICIT';
  const size = [count(0), count(1)] as const;
  if (Math.min(...size) < 1)
    throw new Error(
      `Internal error: a window of [${kernel.join(', ')}] does not fit [${x.shape.join(', ')}].`,
    );
  return { size, attributes: { strides, padding: name, amounts } };
}
