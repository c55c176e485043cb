/**
 * Convolutions and pooling on tfjs' own backends.
 *
 * WebAssembly has no kernels for the gradients of filters, nor any for depthwise ones. They are written here
 * as matrix products and depthwise convolutions, which it has, and run the same way in plain JavaScript.
 */
import type * as Tfjs from '@tensorflow/tfjs-core';
import type { Node } from '../ir.ts';
import type { Kernel } from './kernel.ts';
import { at, shapeOf } from './kernel.ts';

const image = (inputs: readonly Tfjs.Tensor[], index: number): Tfjs.Tensor4D =>
  at(inputs, index) as Tfjs.Tensor4D; // Images and filters have four axes.

type Pair = [number, number];

const pairOf = (node: Node, name: 'strides' | 'kernel'): Pair => {
  const [down = 1, right = 1] = node.attributes[name] as readonly number[]; // Set by every operation with a window.
  return [down, right];
};

/** Zeros before and after each axis of an image. */
function paddingOf(node: Node): [Pair, Pair, Pair, Pair] {
  const [top = 0, bottom = 0, left = 0, right = 0] = node.attributes['amounts'] as readonly number[]; // As above.
  return [
    [0, 0],
    [top, bottom],
    [left, right],
    [0, 0],
  ];
}

const poolPadding = (node: Node): 'same' | 'valid' =>
  node.attributes['padding'] === 'SAME' ? 'same' : 'valid';

/** For each element of a filter [height, width, …], the part of the image that it meets: [batch, down, right, channels]. */
function tapsOf(
  tf: typeof Tfjs,
  node: Node,
  x: Tfjs.Tensor4D,
  gradient: Tfjs.Tensor,
): readonly Tfjs.Tensor[] {
  const [height = 0, width = 0] = shapeOf(node);
  const [down, right] = pairOf(node, 'strides');
  const [batch = 0, rows = 0, columns = 0] = gradient.shape;
  const padded = tf.pad(x, paddingOf(node));
  const channels = x.shape[3];
  return Array.from({ length: height * width }, (_, index) => {
    const [u, v] = [Math.floor(index / width), index % width];
    const end = [batch, u + down * (rows - 1) + 1, v + right * (columns - 1) + 1, channels];
    return tf.stridedSlice(padded, [0, u, v, 0], end, [1, down, right, 1]);
  });
}

/** ∂W[u, v] = tap(u, v)ᵀ·∂y: one matrix product an element of the filter. */
const convolutionToFilter: Kernel = (tf, inputs, node) => {
  const gradient = image(inputs, 2);
  const [, , channels = 0, outputs = 0] = shapeOf(node);
  const flat = tf.reshape(gradient, [-1, outputs]);
  const parts = tapsOf(tf, node, image(inputs, 0), gradient).map((tap) =>
    tf.matMul(tf.reshape(tap, [-1, channels]), flat, true),
  );
  return tf.reshape(tf.stack(parts), shapeOf(node));
};

/** ∂W[u, v, c, k] = Σ tap(u, v)[c]·∂y[c·m + k]. */
const depthwiseToFilter: Kernel = (tf, inputs, node) => {
  const gradient = image(inputs, 2);
  const [, , channels = 0, multiplier = 0] = shapeOf(node);
  const flat = tf.reshape(gradient, [-1, channels, multiplier]);
  const parts = tapsOf(tf, node, image(inputs, 0), gradient).map((tap) =>
    tf.sum(tf.mul(tf.reshape(tap, [-1, channels, 1]), flat), 0),
  );
  return tf.reshape(tf.stack(parts), shapeOf(node));
};

/** Puts stride − 1 zeros after each row and column. */
function spread(tf: typeof Tfjs, x: Tfjs.Tensor4D, [down, right]: Pair): Tfjs.Tensor4D {
  const [batch, rows, columns, channels] = x.shape;
  const wide = tf.pad(tf.reshape(x, [batch * rows, 1, columns, channels]), [
    [0, 0],
    [0, down - 1],
    [0, 0],
    [0, 0],
  ]);
  const long = tf.pad(tf.reshape(wide, [batch * rows * down, columns, 1, channels]), [
    [0, 0],
    [0, 0],
    [0, right - 1],
    [0, 0],
  ]);
  return tf.reshape(long, [batch, rows * down, columns * right, channels]);
}

/** The gradient of a depthwise convolution's image: a convolution of the spread gradient with the turned filter. */
function depthwiseToImage(
  tf: typeof Tfjs,
  node: Node,
  filter: Tfjs.Tensor4D,
  gradient: Tfjs.Tensor4D,
): Tfjs.Tensor {
  const [batch = 0, height = 0, width = 0, channels = 0] = shapeOf(node);
  const [filterHeight, filterWidth, , multiplier] = filter.shape;
  const [, [top], [left]] = paddingOf(node);
  const full = spread(tf, gradient, pairOf(node, 'strides'));
  // Row r of the image is met by row (r + top − u)/stride of the result: that many zeros lie before the first.
  const before: Pair = [filterHeight - 1 - top, filterWidth - 1 - left];
  const missing = (length: number, size: number, zeros: number, have: number): number =>
    length + size - 1 - zeros - have;
  const placed = fit(tf, full, [
    [before[0], missing(height, filterHeight, before[0], full.shape[1])],
    [before[1], missing(width, filterWidth, before[1], full.shape[2])],
  ]);
  const turned = tf.reverse(filter, [0, 1]);
  const byMultiplier = tf.reshape(placed, [...placed.shape.slice(0, 3), channels, multiplier]);
  const parts = Array.from({ length: multiplier }, (_, index) => {
    const part = tf.slice(byMultiplier, [0, 0, 0, 0, index], [-1, -1, -1, -1, 1]);
    const map = tf.reshape<Tfjs.Rank.R4>(part, [batch, placed.shape[1], placed.shape[2], channels]);
    return tf.depthwiseConv2d(map, tf.slice(turned, [0, 0, 0, index], [-1, -1, -1, 1]), 1, 'valid');
  });
  return tf.addN(parts);
}

/** Adds zeros around an image, or cuts where their number is negative. */
function fit(tf: typeof Tfjs, x: Tfjs.Tensor4D, amounts: readonly [Pair, Pair]): Tfjs.Tensor4D {
  const [rows, columns] = amounts;
  const cut = ([before, after]: Pair, length: number): Pair => [
    Math.max(-before, 0),
    length + Math.min(before, 0) + Math.min(after, 0),
  ];
  const [top, height] = cut(rows, x.shape[1]);
  const [left, width] = cut(columns, x.shape[2]);
  const kept = tf.slice(x, [0, top, left, 0], [-1, height, width, -1]);
  const added = (pair: Pair): Pair => [Math.max(pair[0], 0), Math.max(pair[1], 0)];
  return tf.pad(kept, [[0, 0], added(rows), added(columns), [0, 0]]);
}

/** tfjs divides by the whole window also at the border, where its forward pass counts only what lies inside. */
const averageToImage: Kernel = (tf, inputs, node) => {
  const gradient = image(inputs, 1);
  const [, height = 0, width = 0, channels = 0] = shapeOf(node);
  const [rows, columns] = pairOf(node, 'kernel');
  const ones = tf.ones<Tfjs.Rank.R4>([1, height, width, 1]);
  const window = tf.ones<Tfjs.Rank.R4>([rows, columns, 1, 1]);
  const counts = tf.conv2d(ones, window, pairOf(node, 'strides'), paddingOf(node));
  const shares = tf.div<Tfjs.Tensor4D>(gradient, counts);
  return depthwiseToImage(tf, node, tf.ones<Tfjs.Rank.R4>([rows, columns, channels, 1]), shares);
};

/** The first of equal elements takes the whole gradient, as in TensorFlow; tfjs' backends disagree about them. */
const maximumToImage: Kernel = (tf, inputs, node) => {
  const [x, y, gradient] = [image(inputs, 0), at(inputs, 1).dataSync(), image(inputs, 2)];
  const [batch, height, width, channels] = x.shape;
  const [, rows, columns] = gradient.shape;
  const [down, right] = pairOf(node, 'strides');
  const [windowHeight, windowWidth] = pairOf(node, 'kernel');
  const [, [top], [left]] = paddingOf(node);
  const [elements, incoming] = [x.dataSync(), gradient.dataSync()];
  const result = new Float32Array(elements.length);
  const find = (from: number, row: number, column: number, value: number): number => {
    for (let u = Math.max(0, -row); u < Math.min(windowHeight, height - row); u++) {
      for (let v = Math.max(0, -column); v < Math.min(windowWidth, width - column); v++) {
        const index = from + ((row + u) * width + column + v) * channels;
        if (elements[index] === value) return index;
      }
    }
    // Not a number is equal to nothing; the gradient is lost with it.
    return from;
  };
  incoming.forEach((share, index) => {
    const channel = index % channels;
    const column = Math.floor(index / channels) % columns;
    const row = Math.floor(index / (channels * columns)) % rows;
    const from = Math.floor(index / (channels * columns * rows)) * height * width * channels + channel;
    const target = find(from, row * down - top, column * right - left, y[index] ?? Number.NaN);
    result[target] = (result[target] ?? 0) + share;
  });
  return tf.tensor(result, [batch, height, width, channels]);
};

/** What runs convolutions and pooling. */
export const convolutionKernels: Readonly<Record<string, Kernel>> = {
  Conv2D: (tf, inputs, node) =>
    tf.conv2d(image(inputs, 0), image(inputs, 1), pairOf(node, 'strides'), paddingOf(node)),
  Conv2DBackpropInput: (tf, inputs, node) => {
    const [batch = 0, height = 0, width = 0, channels = 0] = shapeOf(node);
    const shape: [number, number, number, number] = [batch, height, width, channels];
    const [filter, gradient] = [image(inputs, 1), image(inputs, 2)];
    return tf.conv2dTranspose(gradient, filter, shape, pairOf(node, 'strides'), paddingOf(node));
  },
  Conv2DBackpropFilter: convolutionToFilter,
  DepthwiseConv2dNative: (tf, inputs, node) =>
    tf.depthwiseConv2d(image(inputs, 0), image(inputs, 1), pairOf(node, 'strides'), paddingOf(node)),
  DepthwiseConv2dNativeBackpropInput: (tf, inputs, node) =>
    depthwiseToImage(tf, node, image(inputs, 1), image(inputs, 2)),
  DepthwiseConv2dNativeBackpropFilter: depthwiseToFilter,
  MaxPool: (tf, inputs, node) =>
    tf.maxPool(image(inputs, 0), pairOf(node, 'kernel'), pairOf(node, 'strides'), poolPadding(node)),
  AvgPool: (tf, inputs, node) =>
    tf.avgPool(image(inputs, 0), pairOf(node, 'kernel'), pairOf(node, 'strides'), poolPadding(node)),
  MaxPoolGrad: maximumToImage,
  AvgPoolGrad: averageToImage,
  ResizeBilinear: (tf, inputs, node) => {
    const [, height = 0, width = 0] = shapeOf(node);
    return tf.image.resizeBilinear(image(inputs, 0), [height, width], false, true);
  },
};
