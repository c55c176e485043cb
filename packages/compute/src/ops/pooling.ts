import type { Tensor } from '../ir.ts';
import { makeTensor } from '../ir.ts';
import { lengthOf } from './shapes.ts';
import { mean } from './structure.ts';
import { placeWindow } from './window.ts';

/** How a window moves over an image. */
export interface PoolingOptions {
  /** Down and to the right; the default is the window's own size. */
  readonly strides?: readonly [number, number];
  /** The default is `valid`; what lies outside never counts. */
  readonly padding?: 'same' | 'valid';
}

function pool(
  op: 'MaxPool' | 'AvgPool',
  x: Tensor,
  kernel: readonly [number, number],
  options: PoolingOptions,
): Tensor {
  const { strides = kernel } = options;
  const { size, attributes } = placeWindow(x, kernel, { ...options, strides });
  const shape = [lengthOf(x, 0), ...size, lengthOf(x, 3)];
  return makeTensor(op, [x], shape, x.dtype, { ...attributes, kernel });
}

/** The largest element under each window of `kernel` [height, width]. */
export const maxPool = (x: Tensor, kernel: readonly [number, number], options: PoolingOptions = {}): Tensor =>
  pool('MaxPool', x, kernel, options);

/** The mean of the elements under each window of `kernel` [height, width]. */
export const avgPool = (x: Tensor, kernel: readonly [number, number], options: PoolingOptions = {}): Tensor =>
  pool('AvgPool', x, kernel, options);

/** The mean over an image: [batch, height, width, channels] to [batch, channels]. */
export const globalAvgPool = (x: Tensor): Tensor => mean(x, [1, 2]);
