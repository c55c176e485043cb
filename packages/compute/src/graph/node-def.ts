/**
 * Writes TensorFlow's NodeDef messages.
 *
 * Messages and field numbers are those of tensorflow/core/framework/{node_def,attr_value,tensor,function}.proto.
 */
import type { Attributes, DType, FusedBody, Node, Tensor, TensorData } from '../ir.ts';
import { collectNodes } from '../ir.ts';
import { bytes, int, message } from './protobuf.ts';

/** TensorFlow's numbers for element types. */
export const dtypeNumbers: Readonly<Record<DType, number>> = { float32: 1, int32: 3, bool: 10, bfloat16: 14 };

/** A value of a node's attribute. */
export type Attribute =
  | { readonly type: DType }
  | { readonly types: readonly DType[] }
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
    return bytes(1, message(...attribute.types.map((dtype) => int(6, dtypeNumbers[dtype]))));
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
  Reshape: (node) => ({ T: { type: inputType(node) }, Tshape: { type: 'int32' } }),
  Transpose: (node) => ({ T: { type: inputType(node) }, Tperm: { type: 'int32' } }),
  Slice: (node) => ({ T: { type: inputType(node) }, Index: { type: 'int32' } }),
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
  ['LogSoftmax', 'logsoftmax'],
]);

/**
 * A FunctionDef message for the body of a `Fused` node.
 *
 * Two bodies with the same operations and shapes give the same bytes under the same name.
 */
export function functionMessage(name: string, body: FusedBody): Buffer {
  const names = new Map<Node, string>();
  const argument = (argumentName: string, tensor: Tensor): Buffer =>
    message(bytes(1, argumentName), int(3, dtypeNumbers[tensor.dtype]));
  body.parameters.forEach((parameter, index) => names.set(parameter.node, `x${index}`));
  const nameOf = (tensor: Tensor): string => names.get(tensor.node) ?? '';
  const nodes = collectNodes(body.results)
    .filter((node) => !names.has(node))
    .map((node, index) => {
      names.set(node, `n${index}:${outputNames[node.op] ?? 'output'}:0`);
      const attributes = node.op === 'Const' ? constantAttributes(node) : attributesOf(node);
      return bytes(3, nodeMessage(`n${index}`, node.op, node.inputs.map(nameOf), attributes));
    });
  const signature = message(
    bytes(1, name),
    ...body.parameters.map((parameter, index) => bytes(2, argument(`x${index}`, parameter))),
    ...body.results.map((result, index) => bytes(3, argument(`y${index}`, result))),
  );
  const results = body.results.map((result, index) =>
    bytes(4, message(bytes(1, `y${index}`), bytes(2, nameOf(result)))),
  );
  return message(bytes(1, signature), ...nodes, ...results);
}

/** The attributes that TensorFlow's registry asks for, for a node of ours. */
export function attributesOf(node: Node): NamedAttributes {
  return (rules[node.op] ?? elementwise)(node, node.attributes);
}
