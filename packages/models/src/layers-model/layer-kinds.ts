/**
 * What each class of Keras' layers computes, as Keras documents it, for images [batch, height, width, channels].
 *
 * Layers that act in training only, such as Dropout, are left out of the computation.
 */
import {
  add,
  addBias,
  avgPool,
  batchNorm,
  concat,
  conv2d,
  depthwiseConv2d,
  foldBatchNorm,
  gelu,
  hardSwish,
  globalAvgPool,
  matMul,
  maxPool,
  maximum,
  minimum,
  mul,
  pad,
  relu,
  relu6,
  reshape,
  sigmoid,
  softmax,
  swish,
  tanh,
} from '@joyul/compute';
import type { BatchNormWeights, Tensor } from '@joyul/compute';
import type { LayerConfig } from './layer-config.ts';

/** A layer at work. */
export interface LayerContext {
  readonly config: LayerConfig;
  /** The weight of this name; absent where the layer's settings leave it out. */
  readonly find: (weight: string) => Tensor | undefined;
  /** Numbers that take part beside the inputs. */
  readonly numbers: readonly number[];
  /** The normalisation that follows and is computed with the layer, where that is possible. */
  readonly norm?: BatchNormWeights;
}

/** A weight that a layer needs. */
export interface LayerWeight {
  readonly name: string;
  /** The number of axes. */
  readonly rank: number;
  /** Whether gradients may change it; statistics are only read. */
  readonly isStatistic?: true;
}

/** A class of layers. */
export interface LayerKind {
  readonly weights?: (config: LayerConfig) => readonly LayerWeight[];
  /** Settings that are not supported, as `name value`. */
  readonly refuse?: (config: LayerConfig) => readonly string[];
  /** Whether numbers may take part beside the inputs. */
  readonly takesNumbers?: true;
  readonly apply: (inputs: readonly Tensor[], context: LayerContext) => Tensor;
}

const activations: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  linear: (x) => x,
  relu,
  relu6,
  sigmoid,
  tanh,
  gelu,
  softmax,
  swish,
  silu: swish,
  hard_swish: hardSwish,
  hard_silu: hardSwish,
};

const activate = (x: Tensor, config: LayerConfig): Tensor => activations[config.activation]?.(x) ?? x;

const refuseActivation = (config: LayerConfig): readonly string[] =>
  config.activation in activations ? [] : [`activation ${config.activation}`];

const refuseImage = (config: LayerConfig): readonly string[] => [
  ...(config.text('data_format', 'channels_last') === 'channels_last' ? [] : ['data_format channels_first']),
  ...(['same', 'valid'].includes(paddingOf(config)) ? [] : [`padding ${paddingOf(config)}`]),
  ...(config.number('groups', 1) === 1 ? [] : [`groups ${config.number('groups', 1)}`]),
];

const refuseConvolution = (config: LayerConfig): readonly string[] => [
  ...refuseImage(config),
  ...refuseActivation(config),
];

const paddingOf = (config: LayerConfig): string => config.text('padding', 'valid');

const windowOf = (config: LayerConfig): Parameters<typeof conv2d>[2] => ({
  strides: config.pair('strides', [1, 1]),
  dilations: config.pair('dilation_rate', [1, 1]),
  padding: paddingOf(config) === 'same' ? 'same' : 'valid',
});

const first = (inputs: readonly Tensor[]): Tensor => {
  const [x] = inputs;
  if (x === undefined) throw new Error('Internal error: a layer without an input.');
  return x;
};

const needed = (context: LayerContext, name: string): Tensor => {
  const found = context.find(name);
  if (found === undefined) throw new Error(`Internal error: the weight ${name} was not declared.`);
  return found;
};

const biasOf = (config: LayerConfig): readonly LayerWeight[] =>
  config.is('use_bias', true) ? [{ name: 'bias', rank: 1 }] : [];

const addTo = (x: Tensor, bias: Tensor | undefined): Tensor => (bias === undefined ? x : addBias(x, bias));

function convolve(inputs: readonly Tensor[], context: LayerContext, isDepthwise: boolean): Tensor {
  const { config, norm } = context;
  const own = needed(context, isDepthwise ? 'depthwise_kernel' : 'kernel');
  const ownBias = context.find('bias');
  const { filter, bias } =
    norm === undefined
      ? { filter: own, bias: ownBias }
      : foldBatchNorm(
          { filter: own, isDepthwise, ...(ownBias === undefined ? {} : { bias: ownBias }) },
          norm,
        );
  const image = (isDepthwise ? depthwiseConv2d : conv2d)(first(inputs), filter, windowOf(config));
  return activate(addTo(image, bias), config);
}

/** A layer's weights as the operation of batch normalisation takes them. */
export function normWeights({ config, find }: Pick<LayerContext, 'config' | 'find'>): BatchNormWeights {
  const [mean, variance, gamma, beta] = [
    find('moving_mean'),
    find('moving_variance'),
    find('gamma'),
    find('beta'),
  ];
  if (mean === undefined || variance === undefined)
    throw new Error('Internal error: a normalisation without statistics.');
  return {
    mean,
    variance,
    epsilon: config.number('epsilon', 1e-3),
    ...(gamma === undefined ? {} : { gamma }),
    ...(beta === undefined ? {} : { beta }),
  };
}

/** y = x·W + b along the last axis, for W [inputs, units]. */
function dense(inputs: readonly Tensor[], context: LayerContext): Tensor {
  const x = first(inputs);
  const kernel = needed(context, 'kernel');
  const width = x.shape.at(-1) ?? 0;
  const rows = matMul(reshape(x, [-1, width]), kernel);
  const output = reshape(addTo(rows, context.find('bias')), [
    ...x.shape.slice(0, -1),
    kernel.shape.at(-1) ?? 0,
  ]);
  return activate(output, context.config);
}

/** max(x, slope·x) below a largest value. */
function rectify(inputs: readonly Tensor[], { config }: LayerContext): Tensor {
  const x = first(inputs);
  const slope = config.number('negative_slope', 0);
  const top = config.get('max_value');
  if (slope === 0 && top === 6) return relu6(x);
  const bent = slope === 0 ? relu(x) : maximum(x, mul(x, slope));
  return typeof top === 'number' ? minimum(bent, top) : bent;
}

function addZeros(inputs: readonly Tensor[], { config }: LayerContext): Tensor {
  const padding = config.get('padding');
  const sides = Array.isArray(padding) ? (padding as readonly unknown[]) : [padding, padding]; // One number, two, or two pairs.
  const [rows = [1, 1], columns = [1, 1]] = sides.map((side): readonly [number, number] => {
    const [before = 1, after = before] = Array.isArray(side) ? side.map(Number) : [Number(side ?? 1)];
    return [before, after];
  });
  return pad(first(inputs), [[0, 0], [rows[0], rows[1]], [columns[0], columns[1]], [0, 0]]); // prettier-ignore
}

const pooling =
  (pool: typeof maxPool): LayerKind['apply'] =>
  (inputs, { config }) => {
    const kernel = config.pair('pool_size', [2, 2]);
    const padding = paddingOf(config) === 'same' ? 'same' : 'valid';
    return pool(first(inputs), kernel, { strides: config.pair('strides', kernel), padding });
  };

const fold = (operation: (x: Tensor, y: Tensor | number) => Tensor): LayerKind => ({
  takesNumbers: true,
  apply: (inputs, { numbers }) => [...inputs.slice(1), ...numbers].reduce(operation, first(inputs)),
});

/** The last axis of an image is 3, that of a row of features 1; files name either, or −1. */
const lastAxisOnly = (config: LayerConfig): readonly string[] => {
  const axis = Number(config.get('axis') ?? -1); // Files may hold a list of one.
  return [-1, 1, 3].includes(axis) ? [] : [`axis ${axis}`];
};

/** A layer along the last axis; the axis 1 of an image is its height, which its channels follow. */
const alongLast =
  (apply: LayerKind['apply']): LayerKind['apply'] =>
  (inputs, context) => {
    const axis = Number(context.config.get('axis') ?? -1);
    const rank = first(inputs).shape.length;
    if (axis !== -1 && axis !== rank - 1)
      throw new Error(
        `A layer along axis ${axis} of ${rank} cannot be computed here; only the last axis can.`,
      );
    return apply(inputs, context);
  };

const identity: LayerKind = { apply: first };

/** The classes that are supported. */
export const layerKinds: Readonly<Record<string, LayerKind>> = {
  Conv2D: {
    weights: (config) => [{ name: 'kernel', rank: 4 }, ...biasOf(config)],
    refuse: refuseConvolution,
    apply: (inputs, context) => convolve(inputs, context, false),
  },
  DepthwiseConv2D: {
    weights: (config) => [{ name: 'depthwise_kernel', rank: 4 }, ...biasOf(config)],
    refuse: refuseConvolution,
    apply: (inputs, context) => convolve(inputs, context, true),
  },
  SeparableConv2D: {
    weights: (config) => [
      { name: 'depthwise_kernel', rank: 4 },
      { name: 'pointwise_kernel', rank: 4 },
      ...biasOf(config),
    ],
    refuse: refuseConvolution,
    apply: (inputs, context) => {
      const deep = depthwiseConv2d(
        first(inputs),
        needed(context, 'depthwise_kernel'),
        windowOf(context.config),
      );
      const mixed = conv2d(deep, needed(context, 'pointwise_kernel'));
      return activate(addTo(mixed, context.find('bias')), context.config);
    },
  },
  BatchNormalization: {
    weights: (config) => [
      ...(config.is('scale', true) ? [{ name: 'gamma', rank: 1 }] : []),
      ...(config.is('center', true) ? [{ name: 'beta', rank: 1 }] : []),
      { name: 'moving_mean', rank: 1, isStatistic: true },
      { name: 'moving_variance', rank: 1, isStatistic: true },
    ],
    refuse: lastAxisOnly,
    apply: alongLast((inputs, context) => batchNorm(first(inputs), normWeights(context))),
  },
  Dense: {
    weights: (config) => [{ name: 'kernel', rank: 2 }, ...biasOf(config)],
    refuse: refuseActivation,
    apply: dense,
  },
  Activation: { refuse: refuseActivation, apply: (inputs, { config }) => activate(first(inputs), config) },
  ReLU: {
    refuse: (config) => (config.number('threshold', 0) === 0 ? [] : ['threshold']),
    apply: rectify,
  },
  Softmax: { refuse: lastAxisOnly, apply: alongLast((inputs) => softmax(first(inputs))) },
  Add: fold(add),
  Multiply: fold(mul),
  Concatenate: {
    refuse: lastAxisOnly,
    apply: alongLast((inputs) => concat(inputs, first(inputs).shape.length - 1)),
  },
  ZeroPadding2D: { apply: addZeros },
  MaxPooling2D: { refuse: refuseImage, apply: pooling(maxPool) },
  AveragePooling2D: { refuse: refuseImage, apply: pooling(avgPool) },
  GlobalAveragePooling2D: {
    refuse: refuseImage,
    apply: (inputs, { config }) => {
      const pooled = globalAvgPool(first(inputs)); // [batch, channels]
      const [batch = 0, channels = 0] = pooled.shape;
      return config.is('keepdims', false) ? reshape(pooled, [batch, 1, 1, channels]) : pooled;
    },
  },
  Flatten: { apply: (inputs) => reshape(first(inputs), [first(inputs).shape[0] ?? 0, -1]) },
  Reshape: {
    apply: (inputs, { config }) => {
      const target = config.get('target_shape') as readonly number[]; // Every Reshape has one.
      return reshape(first(inputs), [first(inputs).shape[0] ?? 0, ...target]);
    },
  },
  Rescaling: {
    apply: (inputs, { config }) =>
      add(mul(first(inputs), config.number('scale', 1)), config.number('offset', 0)),
  },
  Dropout: identity,
  SpatialDropout2D: identity,
};
