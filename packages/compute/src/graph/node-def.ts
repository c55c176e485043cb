/**
 * Writes TensorFlow's NodeDef messages.
 *
 * Messages and field numbers are those of tensorflow/core/framework/{node_def,attr_value,tensor,function}.proto.
 */
import type { Attributes, DType, FusedBody, Node, Tensor, TensorData } from '../ir.ts';
import { collectNodes } from '../ir.ts';
import type { InPlaceUpdate } from './in-place-updates.ts';
import { bytes, int, message } from './protobuf.ts';

/** TensorFlow's numbers for element types. */
export const dtypeNumbers: Readonly<Record<DType, number>> = {
  float32: 1,
  int32: 3,
  bool: 10,
  bfloat16: 14,
  float16: 19,
};

/** TensorFlow's number for handles of variables. */
const resourceNumber = 20;

/** A value of a node's attribute. */
export type Attribute =
  | { readonly type: DType }
  | { readonly types: readonly (DType | 'resource')[] }
  | { readonly function: string }
  | { readonly bool: boolean }
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly text: string }
  | { readonly shape: readonly number[] }
  | { readonly data: TensorData; readonly shape: readonly number[]; readonly dtype: DType };

const shapeMessage = (shape: readonly number[]): Buffer =>
  message(...shape.map((length) => bytes(2, int(1, length))));

/** A tensor's elements in TensorFlow's layout. */
function contentOf(dtype: DType, data: TensorData): Uint8Array {
  if (dtype === 'bool') return Uint8Array.from(data, (value) => (value === 0 ? 0 : 1));
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function tensorMessage(shape: readonly number[], dtype: DType, data: TensorData): Buffer {
  const content = contentOf(dtype, data);
  return message(int(1, dtypeNumbers[dtype]), bytes(2, shapeMessage(shape)), bytes(4, content));
}

/** An AttrValue message. */
function attributeMessage(attribute: Attribute): Buffer {
  if ('type' in attribute) return int(6, dtypeNumbers[attribute.type]);
  if ('types' in attribute)
    return bytes(
      1,
      message(
        ...attribute.types.map((type) => int(6, type === 'resource' ? resourceNumber : dtypeNumbers[type])),
      ),
    );
  if ('function' in attribute) return bytes(10, bytes(1, attribute.function));
  if ('bool' in attribute) return int(5, attribute.bool ? 1 : 0);
  if ('ints' in attribute) return bytes(1, message(...attribute.ints.map((value) => int(3, value))));
  if ('int' in attribute) return int(3, attribute.int);
  if ('text' in attribute) return bytes(2, attribute.text);
  if (!('data' in attribute)) return bytes(7, shapeMessage(attribute.shape));
  return bytes(8, tensorMessage(attribute.shape, attribute.dtype, attribute.data));
}

/** Attributes by name. */
export type NamedAttributes = Readonly<Record<string, Attribute>>;

/** A NodeDef message; inputs are `name`, `name:output` or, for control, `^name`. */
export function nodeMessage(
  name: string,
  op: string,
  inputs: readonly string[],
  attributes: NamedAttributes,
): Buffer {
  const fields = Object.entries(attributes).map(([key, value]) =>
    bytes(5, message(bytes(1, key), bytes(2, attributeMessage(value)))),
  );
  return message(bytes(1, name), bytes(2, op), ...inputs.map((input) => bytes(3, input)), ...fields);
}

/** The attributes of a constant. */
export function constantAttributes(node: Node): NamedAttributes {
  const [output] = node.outputs;
  if (output === undefined || node.data === undefined)
    throw new Error('Internal error: a constant without data.');
  return { dtype: { type: output.dtype }, value: { ...output, data: node.data } };
}

/** The attributes of a cast. */
export const castAttributes = (from: DType, to: DType): NamedAttributes => ({
  SrcT: { type: from },
  DstT: { type: to },
  Truncate: { bool: false },
});

/** Attributes of each operation in TensorFlow's registry, from those of our node. */
type AttributeRule = (node: Node, attributes: Attributes) => Readonly<Record<string, Attribute>>;

const inputType = (node: Node): DType => node.inputs[0]?.dtype ?? 'float32';
const elementwise: AttributeRule = (node) => ({ T: { type: inputType(node) } });
const reduction: AttributeRule = (node, { keepDims }) => ({
  T: { type: inputType(node) },
  Tidx: { type: 'int32' },
  keep_dims: { bool: keepDims === true },
});

/** A window's stride or size [down, right], for each axis of an image. */
const ofImage = (pair: Attributes[string] | undefined): Attribute => ({
  ints: [1, ...(pair as readonly number[]), 1], // Set by every operation with a window.
});
const convolution: AttributeRule = (_node, { strides, padding, amounts }) => ({
  T: { type: 'float32' },
  strides: ofImage(strides),
  padding: { text: String(padding) },
  explicit_paddings: {
    ints: padding === 'EXPLICIT' ? [0, 0, ...(amounts as readonly number[]), 0, 0] : [], // Set with the strides.
  },
});
const pooling: AttributeRule = (_node, { strides, padding, kernel }) => ({
  T: { type: 'float32' },
  ksize: ofImage(kernel),
  strides: ofImage(strides),
  padding: { text: String(padding) },
});

const rules: Readonly<Record<string, AttributeRule>> = {
  ...Object.fromEntries(
    ['Conv2D', 'DepthwiseConv2dNative'].flatMap((op) =>
      [op, `${op}BackpropInput`, `${op}BackpropFilter`].map((name) => [name, convolution]),
    ),
  ),
  ...Object.fromEntries(['MaxPool', 'AvgPool', 'MaxPoolGrad', 'AvgPoolGrad'].map((op) => [op, pooling])),
  Pad: (node) => ({ T: { type: inputType(node) }, Tpaddings: { type: 'int32' } }),
  ResizeBilinear: (node) => ({
    T: { type: inputType(node) },
    align_corners: { bool: false },
    half_pixel_centers: { bool: true },
  }),
  Sum: reduction,
  Mean: reduction,
  Max: reduction,
  Cast: (node) => castAttributes(inputType(node), node.outputs[0]?.dtype ?? 'float32'),
  Bitcast: (node) => ({
    T: { type: inputType(node) },
    type: { type: node.outputs[0]?.dtype ?? 'float32' },
  }),
  Reshape: (node) => ({ T: { type: inputType(node) }, Tshape: { type: 'int32' } }),
  Transpose: (node) => ({ T: { type: inputType(node) }, Tperm: { type: 'int32' } }),
  Slice: (node) => ({ T: { type: inputType(node) }, Index: { type: 'int32' } }),
  DynamicUpdateSlice: (node) => ({ T: { type: inputType(node) }, Tindices: { type: 'int32' } }),
  BroadcastTo: (node) => ({ T: { type: inputType(node) }, Tidx: { type: 'int32' } }),
  ConcatV2: (node, { count }) => ({
    T: { type: inputType(node) },
    Tidx: { type: 'int32' },
    N: { int: Number(count) },
  }),
  GatherV2: (node) => ({
    Tparams: { type: inputType(node) },
    Tindices: { type: 'int32' },
    Taxis: { type: 'int32' },
    batch_dims: { int: 0 },
  }),
  UnsortedSegmentSum: (node) => ({
    T: { type: inputType(node) },
    Tindices: { type: 'int32' },
    Tnumsegments: { type: 'int32' },
  }),
  OneHot: (node) => ({
    T: { type: node.outputs[0]?.dtype ?? 'float32' },
    TI: { type: 'int32' },
    axis: { int: -1 },
  }),
  ArgMax: (node) => ({
    T: { type: inputType(node) },
    Tidx: { type: 'int32' },
    output_type: { type: 'int32' },
  }),
  SelectV2: (node) => ({ T: { type: node.outputs[0]?.dtype ?? 'float32' } }),
  Equal: (node) => ({ T: { type: inputType(node) }, incompatible_shape_error: { bool: true } }),
  NotEqual: (node) => ({ T: { type: inputType(node) }, incompatible_shape_error: { bool: true } }),
  BiasAdd: (node) => ({ T: { type: inputType(node) }, data_format: { text: 'NHWC' } }),
  MatMul: (node, { transposeA, transposeB }) => ({
    T: { type: inputType(node) },
    transpose_a: { bool: transposeA === true },
    transpose_b: { bool: transposeB === true },
  }),
  BatchMatMulV2: (node, { transposeA, transposeB }) => ({
    T: { type: inputType(node) },
    adj_x: { bool: transposeA === true },
    adj_y: { bool: transposeB === true },
  }),
  BiasAddGrad: (node) => ({ T: { type: inputType(node) }, data_format: { text: 'NHWC' } }),
  StatelessRandomUniform: () => ({
    dtype: { type: 'float32' },
    T: { type: 'int32' },
    Tseed: { type: 'int32' },
  }),
  SparseSoftmaxCrossEntropyWithLogits: (node) => ({
    T: { type: inputType(node) },
    Tlabels: { type: 'int32' },
  }),
};

/** The names of first outputs in TensorFlow's registry, where they are not `output`; functions need them. */
const outputNames: Readonly<Record<string, string>> = Object.fromEntries([
  ...['AddV2', 'Sub', 'Mul', 'RealDiv', 'Maximum', 'Minimum', 'SquaredDifference', 'Pow'].map((op) => [
    op,
    'z',
  ]),
  ...['Equal', 'NotEqual', 'Greater', 'GreaterEqual', 'Less', 'LessEqual'].map((op) => [op, 'z']),
  ...['Neg', 'Square', 'Sqrt', 'Rsqrt', 'Exp', 'Log', 'Tanh', 'Sigmoid', 'Erf', 'Cast', 'Transpose'].map(
    (op) => [op, 'y'],
  ),
  ['Relu', 'activations'],
  ['Relu6', 'activations'],
  ['Softmax', 'softmax'],
  ['MatMul', 'product'],
  ['LogSoftmax', 'logsoftmax'],
]);

/** Operations that TensorFlow has for compiled functions alone. */
const compiledNames: Readonly<Record<string, string>> = { DynamicUpdateSlice: 'XlaDynamicUpdateSlice' };

/**
 * A FunctionDef message for the body of a `Fused` node.
 *
 * With `targets` the function gets handles of those inputs, and assigns its results to them instead of giving them.
 * Two bodies with the same operations and shapes give the same bytes under the same name.
 */
export function functionMessage(
  name: string,
  body: FusedBody,
  targets: InPlaceUpdate['targets'] = [],
): Buffer {
  const names = new Map<Node, string>();
  const isHandle = (index: number): boolean => targets.some(({ input }) => input === index);
  const argument = (argumentName: string, type: number): Buffer =>
    message(bytes(1, argumentName), int(3, type));
  const typed = (tensor: Tensor): NamedAttributes => ({ dtype: { type: tensor.dtype } });
  const nodes: Buffer[] = [];
  const add = (...node: Parameters<typeof nodeMessage>): void =>
    void nodes.push(bytes(3, nodeMessage(...node)));
  body.parameters.forEach((parameter, index) => {
    names.set(parameter.node, isHandle(index) ? `r${index}:value:0` : `x${index}`);
    if (isHandle(index)) add(`r${index}`, 'ReadVariableOp', [`x${index}`], typed(parameter));
  });
  const nameOf = (tensor: Tensor): string => names.get(tensor.node) ?? '';
  for (const node of collectNodes(body.results)) {
    if (names.has(node)) continue;
    const own = `n${names.size}`;
    const attributes = node.op === 'Const' ? constantAttributes(node) : attributesOf(node);
    add(own, compiledNames[node.op] ?? node.op, node.inputs.map(nameOf), attributes); // prettier-ignore
    names.set(node, `${own}:${outputNames[node.op] ?? 'output'}:0`);
  }
  const assigned = targets.flatMap(({ input, result }) => {
    const value = body.results[result];
    if (value === undefined) return [];
    // All reads come first: `r…` control edges on every assignment.
    const reads = targets.map((target) => `^r${target.input}`);
    add(`a${input}`, 'AssignVariableOp', [`x${input}`, nameOf(value), ...reads], typed(value));
    return [`a${input}`];
  });
  const results = targets.length === 0 ? body.results : [];
  const signature = message(
    bytes(1, name),
    ...body.parameters.map(({ dtype }, index) =>
      bytes(2, argument(`x${index}`, isHandle(index) ? resourceNumber : dtypeNumbers[dtype])),
    ),
    ...results.map(({ dtype }, index) => bytes(3, argument(`y${index}`, dtypeNumbers[dtype]))),
    ...(targets.length === 0 ? [] : [int(17, 1)]), // is_stateful
    ...assigned.map((node) => bytes(20, node)),
  );
  return message(
    bytes(1, signature),
    ...nodes,
    ...results.map((result, index) => bytes(4, message(bytes(1, `y${index}`), bytes(2, nameOf(result))))),
    ...assigned.map((node) => bytes(6, message(bytes(1, node), bytes(2, node)))),
  );
}

/** The attributes that TensorFlow's registry asks for, for a node of ours. */
export function attributesOf(node: Node): NamedAttributes {
  return (rules[node.op] ?? elementwise)(node, node.attributes);
}
