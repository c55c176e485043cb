/**
 * The intermediate representation: a graph of operations with static shapes.
 *
 * A model is written once as functions that make these nodes. Gradients are more nodes. Then one of two
 * executors runs them: as one TensorFlow graph, or operation by operation on WebAssembly or plain JavaScript.
 */

/** Element types of tensors. */
export type DType = 'float32' | 'int32' | 'bool' | 'bfloat16' | 'float16';

/** Numbers on the JavaScript side. */
export type TensorData = Float32Array | Int32Array;

/** A symbolic tensor: one output of a node. */
export interface Tensor {
  readonly node: Node;
  /** Which output of the node. */
  readonly index: number;
  readonly shape: readonly number[];
  readonly dtype: DType;
}

/** Settings of an operation that are not tensors. */
export type Attributes = Readonly<Record<string, number | boolean | string | readonly number[]>>;

/** A gradient that replaces the one that would follow from an output's own operations. */
export interface CustomGradient {
  /** What gradients flow to. */
  readonly inputs: readonly Tensor[];
  /** Gradients of the inputs from the gradient of the output; undefined where `needed` is false. */
  readonly backward: (gradient: Tensor, needed: readonly boolean[]) => readonly (Tensor | undefined)[];
}

/** What a `Fused` node computes: results from parameters, which stand for the node's inputs. */
export interface FusedBody {
  readonly parameters: readonly Tensor[];
  readonly results: readonly Tensor[];
}

/** One operation. */
export interface Node {
  /** Grows with creation, so a node's inputs always have smaller ids. */
  readonly id: number;
  readonly op: string;
  readonly inputs: readonly Tensor[];
  readonly attributes: Attributes;
  /** For `Const` only. */
  readonly data?: TensorData;
  readonly outputs: readonly { readonly shape: readonly number[]; readonly dtype: DType }[];
  readonly custom?: CustomGradient;
  /** For `Fused` only. */
  readonly body?: FusedBody;
}

/** A tensor that keeps its value between runs: a weight, or an optimizer's slot. */
export interface Variable extends Tensor {
  readonly name: string;
  readonly isTrainable: boolean;
}

let nextId = 0;

/** Numbers of elements. */
export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

/** Adds a node and gives its outputs. */
export function makeNode(
  op: string,
  inputs: readonly Tensor[],
  outputs: Node['outputs'],
  attributes: Attributes = {},
  extra: Pick<Node, 'data' | 'custom' | 'body'> = {},
): readonly Tensor[] {
  const node: Node = { id: nextId++, op, inputs, attributes, outputs, ...extra };
  return outputs.map((output, index) => ({ node, index, shape: output.shape, dtype: output.dtype }));
}

/** Adds a node with one output. */
export function makeTensor(
  op: string,
  inputs: readonly Tensor[],
  shape: readonly number[],
  dtype: DType,
  attributes: Attributes = {},
  extra: Pick<Node, 'data' | 'custom' | 'body'> = {},
): Tensor {
  const [tensor] = makeNode(op, inputs, [{ shape, dtype }], attributes, extra);
  if (tensor === undefined) throw new Error('Internal error: a node without outputs.');
  return tensor;
}

/** A fixed tensor; `data` has the shape's number of elements. */
export function constant(
  data: TensorData | readonly number[],
  shape: readonly number[],
  dtype: DType = 'float32',
): Tensor {
  const typed =
    data instanceof Float32Array || data instanceof Int32Array
      ? data
      : dtype === 'float32'
        ? Float32Array.from(data)
        : Int32Array.from(data);
  if (typed.length !== sizeOf(shape))
    throw new Error(`Internal error: ${typed.length} values for the shape [${shape.join(', ')}].`);
  return makeTensor('Const', [], shape, dtype, {}, { data: typed });
}

/** A fixed number, shape []. */
export function scalar(value: number, dtype: DType = 'float32'): Tensor {
  return constant([value], [], dtype);
}

/** The id that the next node will get: nodes made from now on have this one or a larger one. */
export const nextNodeId = (): number => nextId;

/** Every node that the tensors depend on, in an order in which each comes after its inputs. */
export function collectNodes(tensors: readonly Tensor[]): readonly Node[] {
  const found = new Set<Node>();
  const stack = tensors.map((tensor) => tensor.node);
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (found.has(node)) continue;
    found.add(node);
    for (const input of node.inputs) stack.push(input.node);
  }
  return [...found].sort((left, right) => left.id - right.id);
}
