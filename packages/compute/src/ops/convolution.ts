/**
 * Convolutions of images [batch, height, width, channels], as TensorFlow and Keras define them: the filter is not flipped.
 */
import type { Tensor } from '../ir.ts';
import { constant, makeTensor } from '../ir.ts';
import { lengthOf } from './shapes.ts';
import { pad, reshape, slice } from './structure.ts';
import type { WindowOptions } from './window.ts';
import { placeWindow } from './window.ts';

/** How a filter moves over an image. */
export interface ConvolutionOptions extends WindowOptions {
  /** Distances between the filter's elements, down and to the right; the default is [1, 1]. */
  readonly dilations?: readonly [number, number];
}

/**
 * The filter with zeros between its elements.
 *
 * A dilated convolution is one with this filter. It costs more multiplications, but neither tfjs nor every build of
 * TensorFlow has gradients of dilated convolutions on a processor.
 */
function dilate(filter: Tensor, [down, right]: readonly [number, number]): Tensor {
  if (down === 1 && right === 1) return filter;
  const [height = 0, width = 0, inputs = 0, outputs = 0] = filter.shape;
  const spread = pad(reshape(filter, [height, 1, width, 1, inputs * outputs]), [
    [0, 0],
    [0, down - 1],
    [0, 0],
    [0, right - 1],
    [0, 0],
  ]);
  return slice(
    reshape(spread, [height * down, width * right, inputs, outputs]),
    [0, 0, 0, 0],
    [(height - 1) * down + 1, (width - 1) * right + 1, inputs, outputs],
  );
}

/** y[b, i, j, o] = Σ x[b, s·i + u, s·j + v, c] · W[u, v, c, o], for a filter W [height, width, inputs, outputs]. */
export function conv2d(x: Tensor, filter: Tensor, options: ConvolutionOptions = {}): Tensor {
  const wide = dilate(filter, options.dilations ?? [1, 1]);
  const [height = 0, width = 0, inputs = 0, outputs = 0] = wide.shape;
  if (lengthOf(x, 3) !== inputs)
    throw new Error(`Internal error: ${lengthOf(x, 3)} channels, but the filter takes ${inputs}.`);
  const { size, attributes } = placeWindow(x, [height, width], options);
  return makeTensor('Conv2D', [x, wide], [lengthOf(x, 0), ...size, outputs], x.dtype, attributes);
}

/**
 * Each channel by itself: y[b, i, j, c·m + k] = Σ x[b, s·i + u, s·j + v, c] · W[u, v, c, k], for a filter W
 * [height, width, channels, m]. Both strides are equal, since TensorFlow has no other.
 */
export function depthwiseConv2d(x: Tensor, filter: Tensor, options: ConvolutionOptions = {}): Tensor {
  const wide = dilate(filter, options.dilations ?? [1, 1]);
  const [height = 0, width = 0, channels = 0, multiplier = 0] = wide.shape;
  if (lengthOf(x, 3) !== channels)
    throw new Error(`Internal error: ${lengthOf(x, 3)} channels, but the filter takes ${channels}.`);
  const { size, attributes } = placeWindow(x, [height, width], options);
  const shape = [lengthOf(x, 0), ...size, channels * multiplier];
  return makeTensor('DepthwiseConv2dNative', [x, wide], shape, x.dtype, attributes);
}

/** Bilinear interpolation to [height, width] with pixel centres at half positions; it has no gradient. */
export function resizeBilinear(x: Tensor, [height, width]: readonly [number, number]): Tensor {
  const shape = [lengthOf(x, 0), height, width, lengthOf(x, 3)];
  return makeTensor('ResizeBilinear', [x, constant([height, width], [2], 'int32')], shape, 'float32');
}
