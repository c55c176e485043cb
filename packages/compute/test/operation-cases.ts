import * as joyul from '../src/index.ts';
import type { ConvolutionOptions, PoolingOptions, Tensor } from '../src/index.ts';

const {
  add,
  addBias,
  addResidual,
  argMax,
  attention,
  attentionWith,
  avgPool,
  batchMatMul,
  batchNorm,
  broadcastTo,
  cast,
  causalBias,
  compiled,
  concat,
  constant,
  conv2d,
  countCorrect,
  depthwiseConv2d,
  div,
  dropout,
  equal,
  erf,
  exp,
  foldBatchNorm,
  forbid,
  fuse,
  gather,
  gelu,
  geluTanh,
  globalAvgPool,
  gradients,
  greater,
  greaterEqual,
  halfSumOfSquares,
  hardSigmoid,
  hardSwish,
  headCrossEntropy,
  joinHeads,
  keptAsOperand,
  layerNorm,
  less,
  lessEqual,
  linear,
  log,
  logSoftmax,
  makeRopeTables,
  maskedMean,
  matMul,
  max,
  maxPool,
  maximum,
  mean,
  minimum,
  mul,
  neg,
  notEqual,
  oneHot,
  pad,
  packHalf,
  paddingBias,
  pow,
  randomUniform,
  relu,
  relu6,
  reshape,
  resizeBilinear,
  rmsNorm,
  rope,
  rsqrt,
  segmentSum,
  sigmoid,
  slice,
  softmax,
  softmaxCrossEntropy,
  splitHeads,
  sqrt,
  square,
  squaredDifference,
  stopGradient,
  sub,
  sum,
  sumRows,
  swiglu,
  swish,
  tanh,
  transpose,
  unpackHalf,
  updateSlice,
  where,
  withGradient,
} = joyul;

/** Numbers between 0.2 and 1.2 that look random and are always the same. */
export const values = (count: number, phase: number): Float32Array =>
  Float32Array.from(
    { length: count },
    (_, index) => 0.7 + 0.5 * Math.sin(12.9898 * (index + 1) + 78.233 * phase),
  );

/** The number of elements of a shape. */
export const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** What an operation is run on: the shapes of its float32 inputs, and a function of them. */
export type Case = readonly [
  name: string,
  shapes: readonly (readonly number[])[],
  build: (...x: Tensor[]) => Tensor,
];
const one = (f: (x: Tensor) => Tensor) => (x?: Tensor) => f(x as Tensor); // Each case gets as many tensors as it has shapes.
const two = (f: (x: Tensor, y: Tensor) => Tensor) => (x?: Tensor, y?: Tensor) => f(x as Tensor, y as Tensor);
const three = (f: (x: Tensor, y: Tensor, z: Tensor) => Tensor) => (x?: Tensor, y?: Tensor, z?: Tensor) =>
  f(x as Tensor, y as Tensor, z as Tensor);
const seedOf = (first: number, second: number): Tensor => constant([first, second], [2], 'int32');
const ids = constant([2, 0, 2, 1], [4], 'int32');
const labels = constant([1, 0, -100], [3], 'int32');
/** The same numbers around 0, so that sums stay small. */
const centered = (x: Tensor): Tensor => sub(x, 0.7);

/** Shapes of an image [batch, height, width, channels] and a filter, and how it moves. */
const windows: readonly (readonly [string, readonly number[], readonly number[], ConvolutionOptions])[] = [
  ['valid', [2, 3, 4, 2], [2, 3, 2, 3], {}],
  ['1 × 1', [2, 2, 3, 3], [1, 1, 3, 2], {}],
  ['same, strides 2', [1, 5, 4, 2], [3, 3, 2, 2], { padding: 'same', strides: [2, 2] }],
  ['valid, strides 2 that leave a rest', [1, 6, 5, 2], [3, 2, 2, 1], { strides: [2, 2] }],
  ['explicit padding, strides 2', [1, 4, 5, 2], [3, 3, 2, 1], { padding: [0, 1, 2, 1], strides: [2, 2] }],
  ['same, dilated', [1, 5, 4, 2], [2, 2, 2, 1], { padding: 'same', dilations: [2, 3] }],
];

const depthwiseWindows: typeof windows = [
  ['valid', [2, 3, 4, 2], [2, 3, 2, 1], {}],
  ['same, strides 2, two for each channel', [1, 5, 4, 2], [3, 3, 2, 2], { padding: 'same', strides: [2, 2] }],
  ['strides 3 over a smaller filter', [1, 7, 6, 1], [2, 1, 1, 2], { strides: [3, 3] }],
  ['explicit padding, strides 2', [1, 4, 5, 2], [3, 3, 2, 1], { padding: [0, 1, 2, 1], strides: [2, 2] }],
  ['same, dilated', [1, 4, 4, 2], [2, 2, 2, 1], { padding: 'same', dilations: [2, 2] }],
];

const poolWindows: readonly (readonly [string, readonly number[], PoolingOptions])[] = [
  ['valid', [2, 4, 4, 2], {}],
  ['same at an odd border', [1, 5, 3, 2], { padding: 'same' }],
  ['overlapping, same', [1, 4, 5, 1], { padding: 'same', strides: [1, 2] }],
];

const norm = (mean: Tensor, variance: Tensor): joyul.BatchNormWeights => ({
  mean,
  variance,
  epsilon: 1e-3,
  gamma: constant([1.5, 0.5], [2]),
  beta: constant([0.1, -0.2], [2]),
});

const convolutionCases: readonly Case[] = [
  ...windows.map(([name, image, filter, options]): Case => [
    `Conv2D, ${name}`,
    [image, filter],
    two((x, w) => conv2d(centered(x), centered(w), options)),
  ]),
  ...depthwiseWindows.map(([name, image, filter, options]): Case => [
    `DepthwiseConv2dNative, ${name}`,
    [image, filter],
    two((x, w) => depthwiseConv2d(centered(x), centered(w), options)),
  ]),
  ...poolWindows.flatMap(([name, image, options]): Case[] => [
    [`MaxPool, ${name}`, [image], one((x) => square(maxPool(x, [2, 2], options)))],
    [`AvgPool, ${name}`, [image], one((x) => square(avgPool(x, [2, 2], options)))],
  ]),
  ['globalAvgPool', [[2, 2, 3, 2]], one((x) => square(globalAvgPool(x)))],
  ['batchNorm', [[1, 2, 2, 2], [2], [2]], three((x, m, v) => batchNorm(x, norm(m, v)))],
  [
    'batchNorm without γ and β',
    [[1, 2, 2, 2], [2], [2]],
    three((x, mean, variance) => batchNorm(x, { mean, variance, epsilon: 1e-3 })),
  ],
  [
    'batch normalisation in a convolution with a bias',
    [[1, 3, 3, 2], [2, 2, 2, 2], [2]],
    three((x, w, bias) => {
      const folded = foldBatchNorm({ filter: centered(w), bias, isDepthwise: false }, norm(bias, bias));
      return addBias(conv2d(centered(x), folded.filter), folded.bias);
    }),
  ],
  [
    'batch normalisation in a depthwise convolution',
    [[1, 3, 3, 1], [2, 2, 1, 2], [2]],
    three((x, w, m) => {
      const folded = foldBatchNorm({ filter: centered(w), isDepthwise: true }, norm(m, m));
      return addBias(depthwiseConv2d(centered(x), folded.filter), folded.bias);
    }),
  ],
];

/** Cases whose first tensors have gradients; each operation with a gradient is in one. */
export const differentiableCases: readonly Case[] = [
  ['AddV2, broadcast', [[2, 3], [3]], two((x, y) => mul(add(x, y), add(x, y)))],
  [
    'Sub',
    [
      [2, 3],
      [2, 1],
    ],
    two((x, y) => square(sub(x, y))),
  ],
  [
    'Mul',
    [
      [2, 3],
      [2, 3],
    ],
    two(mul),
  ],
  [
    'RealDiv',
    [
      [2, 3],
      [1, 3],
    ],
    two(div),
  ],
  ['Maximum', [[6], [6]], two((x, y) => maximum(mul(x, x), y))],
  ['Minimum', [[6], [6]], two((x, y) => minimum(mul(x, x), y))],
  ['SquaredDifference', [[2, 3], [3]], two(squaredDifference)],
  ['Neg', [[4]], one((x) => square(neg(x)))],
  ['Square', [[4]], one(square)],
  ['Sqrt', [[4]], one(sqrt)],
  ['Rsqrt', [[4]], one(rsqrt)],
  ['Exp', [[4]], one(exp)],
  ['Log', [[4]], one(log)],
  ['Tanh', [[4]], one(tanh)],
  ['Sigmoid', [[4]], one(sigmoid)],
  ['Erf', [[4]], one(erf)],
  ['Relu', [[6]], one((x) => relu(sub(x, 0.65)))],
  ['SelectV2', [[6], [6]], two((x, y) => where(greaterEqual(x, 0.7), square(x), y))],
  [
    'Cast to whole numbers, a step',
    [[6]],
    one((x) => add(square(x), cast(cast(mul(x, 3), 'int32'), 'float32'))),
  ],
  ['Reshape and Transpose', [[2, 3, 4]], one((x) => square(transpose(reshape(x, [3, 2, 4]), [2, 0, 1])))],
  ['Slice', [[4, 5]], one((x) => square(slice(x, [1, 2], [2, -1])))],
  [
    'ConcatV2',
    [
      [2, 3],
      [2, 2],
    ],
    two((x, y) => square(concat([x, y], 1))),
  ],
  ['BroadcastTo', [[3, 1]], one((x) => square(broadcastTo(x, [2, 3, 4])))],
  ['GatherV2', [[3, 2]], one((x) => square(gather(x, ids)))],
  ['UnsortedSegmentSum', [[4, 2]], one((x) => square(segmentSum(x, ids, 3)))],
  ['Sum and Mean', [[2, 3, 4]], one((x) => mul(square(sum(x, [1])), mean(x, [-2])))],
  ['Softmax', [[2, 5]], one(softmax)],
  ['LogSoftmax', [[2, 5]], one(logSoftmax)],
  [
    'MatMul',
    [
      [2, 3],
      [3, 4],
    ],
    two((x, y) => square(matMul(x, y))),
  ],
  [
    'MatMul, both transposed',
    [
      [3, 2],
      [4, 3],
    ],
    two((x, y) => square(matMul(x, y, { transposeA: true, transposeB: true }))),
  ],
  [
    'MatMul, first transposed',
    [
      [3, 2],
      [3, 4],
    ],
    two((x, y) => square(matMul(x, y, { transposeA: true }))),
  ],
  [
    'BatchMatMulV2',
    [
      [2, 2, 3],
      [2, 4, 3],
    ],
    two((x, y) => square(batchMatMul(x, y, { transposeB: true }))),
  ],
  ['linear (BiasAdd)', [[2, 3], [4, 3], [4]], three((x, w, b) => square(linear(x, w, b)))],
  ['layerNorm', [[3, 5], [5], [5]], three((x, g, b) => square(layerNorm(x, g, b, 1e-5)))],
  ['rmsNorm', [[3, 5], [5]], two((x, w) => square(rmsNorm(x, w, 1e-5)))],
  ['gelu', [[6]], one((x) => gelu(sub(x, 0.7)))],
  ['gelu of a sum with a bias', [[3, 4], [4]], two((x, bias) => gelu(x, bias))],
  ['swiglu', [[6], [6]], two(swiglu)],
  [
    'attention',
    [
      [1, 2, 3, 4],
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ],
    three((q, k, v) => square(attention(q, k, v, constant([0, 0, -1], [1, 1, 1, 3])))),
  ],
  ['dropout', [[4, 5]], one((x) => square(dropout(x, { rate: 0.4, seed: seedOf(3, -7) })))],
  [
    'attention with dropout',
    [
      [1, 4, 3, 2],
      [1, 2, 3, 2],
      [1, 2, 3, 2],
    ],
    three((q, k, v) =>
      square(attentionWith(q, k, v, { bias: causalBias(3), dropout: { rate: 0.3, seed: seedOf(1, 2) } })),
    ),
  ],
  [
    'attention, heads in groups, causal',
    [
      [2, 4, 3, 2],
      [2, 2, 3, 2],
      [2, 2, 3, 2],
    ],
    three((q, k, v) => square(attention(q, k, v, causalBias(3)))),
  ],
  ['rope', [[2, 2, 3, 4]], one((x) => square(rope(x, makeRopeTables(3, 4))))],
  [
    'splitHeads, rotated and scaled, and joinHeads',
    [[6, 8]],
    one((x) => {
      const heads = { batch: 2, time: 3, heads: 2, headDim: 4 };
      const apart = splitHeads(x, heads, { rope: makeRopeTables(3, 4), scale: 0.5 });
      return square(joinHeads(mul(apart, apart)));
    }),
  ],
  ['addResidual', [[4], [4]], two((x, y) => square(addResidual(x, y)))],
  ['keptAsOperand', [[4]], one((x) => square(keptAsOperand(x)))],
  [
    'headCrossEntropy, gradients with the loss',
    [
      [3, 4],
      [5, 4],
    ],
    two((x, head) => {
      const trains = { states: true, head: true };
      return headCrossEntropy(x, head, labels, { chunkRows: 2, trains }).total;
    }),
  ],
  ['geluTanh', [[6]], one((x) => geluTanh(sub(x, 0.7)))],
  ['Pow', [[6]], one((x) => pow(x, 2.5))],
  [
    'headCrossEntropy, smoothed',
    [
      [3, 4],
      [5, 4],
    ],
    two(
      (x, head) =>
        headCrossEntropy(x, head, labels, {
          chunkRows: 2,
          rowWeights: constant([1, 2, 3], [3]),
          labelSmoothing: 0.2,
        }).total,
    ),
  ],
  [
    'headCrossEntropy, in chunks',
    [
      [3, 4],
      [5, 4],
    ],
    two(
      (x, head) =>
        headCrossEntropy(x, head, labels, { chunkRows: 2, rowWeights: constant([1, 2, 3], [3]) }).total,
    ),
  ],
  ['L2Loss', [[2, 3]], one((x) => mul(halfSumOfSquares(x), halfSumOfSquares(x)))],
  ['maskedMean', [[2, 3, 2]], one((x) => square(maskedMean(x, constant([1, 1, 0, 1, 0, 0], [2, 3]))))],
  [
    'softmaxCrossEntropy',
    [[3, 4]],
    one((x) => softmaxCrossEntropy(x, labels, { classWeights: constant([1, 2, 3, 4], [4]) }).total),
  ],
  [
    'softmaxCrossEntropy, smoothed',
    [[3, 4]],
    one((x) => softmaxCrossEntropy(x, labels, { labelSmoothing: 0.1 }).total),
  ],
  ['swish', [[6]], one((x) => swish(sub(x, 0.7)))],
  ['hardSwish (Relu6)', [[6]], one((x) => hardSwish(mul(sub(x, 0.7), 9)))],
  ['hardSigmoid', [[6]], one((x) => hardSigmoid(mul(sub(x, 0.7), 9)))],
  ['relu6', [[6]], one((x) => relu6(mul(sub(x, 0.5), 12)))],
  [
    'withGradient, through the one given instead of the own one',
    [[4]],
    one((x) => withGradient(mul(stopGradient(x), stopGradient(x)), [x], (g) => [mul(mul(g, x), 2)])),
  ],
  ['addBias on an image', [[1, 2, 2, 3], [3]], two((x, b) => square(addBias(x, b)))],
  ['sumRows (BiasAddGrad)', [[3, 4]], one((x) => square(sumRows(x)))],
  [
    'Pad',
    [[2, 3]],
    one((x) =>
      square(
        pad(x, [
          [1, 0],
          [0, 2],
        ]),
      ),
    ),
  ],
  ...convolutionCases,
];

const compared = (f: (x: Tensor, y: Tensor) => Tensor): Case[2] =>
  two((x, y) => f(x, where(greaterEqual(y, 0.7), x, y)));

/** The same gradient on all backends where an image is 0 throughout, as it often is behind a ReLU. */
function gradientOfEqualElements(x: Tensor): Tensor {
  const image = mul(x, 0);
  const pooled = mul(maxPool(image, [3, 3], { strides: [1, 1] }), slice(x, [0, 0, 0, 0], [1, 2, 2, 1]));
  return gradients(sum(pooled), [image])[0] ?? image;
}

/** A tensor and the box that is written into it, at a place. */
const updatedShapes = [
  [2, 5, 3],
  [2, 2, 3],
] as const;
const updatedAt = constant([0, 1, 0], [3], 'int32');

/** Cases without gradients; with those above they hold every operation there is. */
export const forwardCases: readonly Case[] = [
  ['MaxPoolGrad where elements are equal', [[1, 4, 4, 1]], one(gradientOfEqualElements)],
  ['stopGradient', [[4]], one((x) => gradients(sum(mul(x, stopGradient(x))), [x])[0] ?? x)],
  ['Bitcast of pairs of float16, and back', [[3, 4]], one((x) => unpackHalf(packHalf(x)))],
  ['StatelessRandomUniform', [[3, 7]], one((x) => add(x, randomUniform([3, 7], seedOf(2 ** 31 - 1, 5))))],
  ['dropout in one pass', [[400, 400]], one((x) => dropout(x, { rate: 0.1, seed: seedOf(1, 0) }))],
  ['Equal', [[6], [6]], compared(equal)],
  ['NotEqual', [[6], [6]], compared(notEqual)],
  ['Greater', [[6], [6]], compared(greater)],
  ['GreaterEqual', [[6], [6]], compared(greaterEqual)],
  ['Less', [[6], [6]], compared(less)],
  ['LessEqual', [[6], [6]], compared(lessEqual)],
  ['Cast to int32 and back', [[6]], one((x) => mul(cast(cast(mul(x, 10), 'int32'), 'float32'), 0.5))],
  ['Max', [[2, 3, 4]], one((x) => max(x, [1]))],
  ['ArgMax', [[3, 5]], one(argMax)],
  ['OneHot', [[3, 5]], one((x) => oneHot(argMax(x), 5))],
  ['countCorrect', [[3, 5]], one((x) => countCorrect(argMax(x), constant([1, 0, 4], [3], 'int32')))],
  ['paddingBias', [[2, 3]], one((x) => paddingBias(cast(greaterEqual(x, 0.7), 'float32')))],
  ['ResizeBilinear, smaller', [[1, 5, 7, 2]], one((x) => resizeBilinear(x, [3, 4]))],
  ['ResizeBilinear, larger', [[2, 2, 3, 1]], one((x) => resizeBilinear(x, [5, 4]))],
  ['Transpose of axes of length 1', [[2, 1, 3, 1]], one((x) => transpose(x, [1, 0, 3, 2]))],
  ...([1, 3] as const).map((rows): Case => [
    `MatMul of ${rows} with a large weight`,
    [
      [rows, 256],
      [514, 256],
    ],
    two((x, weight) => linear(centered(x), centered(weight))),
  ]),
  ['DynamicUpdateSlice', updatedShapes, two((x, y) => updateSlice(x, y, updatedAt))],
  [
    'DynamicUpdateSlice, compiled',
    updatedShapes,
    two((x, y) => compiled([x, y, updatedAt], (whole, box, at) => [updateSlice(whole, box, at)] as const)[0]),
  ],
  ['forbid', [[6]], one((x) => forbid(greaterEqual(x, 0.7)))],
  ['Fused', [[256, 512]], one((x) => fuse([x], (y) => [add(mul(y, 3), 1)] as const)[0])],
];
