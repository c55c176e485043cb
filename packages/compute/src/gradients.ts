import type { Node, Tensor } from './ir.ts';
import { collectNodes, constant, scalar, sizeOf } from './ir.ts';
import {
  add,
  cast,
  div,
  exp,
  greaterEqual,
  mul,
  neg,
  pow,
  sigmoid,
  square,
  sub,
  where,
} from './ops/elementwise.ts';
import { batchMatMul, matMul } from './ops/matmul.ts';
import { logSoftmax, softmax } from './ops/neural.ts';
import {
  broadcastTo,
  gather,
  reshape,
  segmentSum,
  slice,
  concat,
  sum,
  sumRows,
  transpose,
} from './ops/structure.ts';
import { lengthOf } from './ops/shapes.ts';

/** Gradients of a node's inputs, given those of its outputs; undefined where no gradient flows. */
type Rule = (node: Node, gradient: Tensor, output: Tensor) => readonly (Tensor | undefined)[];

const input = (node: Node, index: number): Tensor => {
  const found = node.inputs[index];
  if (found === undefined) throw new Error(`Internal error: ${node.op} has no input ${index}.`);
  return found;
};

/** Sums a gradient over the axes along which its tensor was repeated. */
function unbroadcast(gradient: Tensor, like: Tensor): Tensor {
  const extra = gradient.shape.length - like.shape.length;
  const axes = gradient.shape.flatMap((length, axis) =>
    axis < extra || (like.shape[axis - extra] === 1 && length !== 1) ? [axis] : [],
  );
  return axes.length === 0 ? gradient : reshape(sum(gradient, axes), like.shape);
}

/** A rule for x ∘ y, from the partial derivatives times the gradient. */
const binary =
  (
    left: (g: Tensor, x: Tensor, y: Tensor) => Tensor,
    right: (g: Tensor, x: Tensor, y: Tensor) => Tensor,
  ): Rule =>
  (node, gradient) => {
    const [x, y] = [input(node, 0), input(node, 1)];
    return [unbroadcast(left(gradient, x, y), x), unbroadcast(right(gradient, x, y), y)];
  };

const unary =
  (derivative: (g: Tensor, x: Tensor, y: Tensor) => Tensor): Rule =>
  (node, gradient, output) => [derivative(gradient, input(node, 0), output)];

const isLarger = (x: Tensor, y: Tensor): Tensor => cast(greaterEqual(x, y), 'float32');

function expand(node: Node, gradient: Tensor): Tensor {
  const x = input(node, 0);
  const axes = node.attributes['axes'] as readonly number[]; // Set by every reduction.
  const kept = x.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
  return broadcastTo(reshape(gradient, kept), x.shape);
}

const matMulRule =
  (multiply: typeof matMul): Rule =>
  (node, gradient) => {
    const [a, b] = [input(node, 0), input(node, 1)];
    const { transposeA, transposeB } = node.attributes;
    const left =
      transposeA === true
        ? multiply(b, gradient, { transposeA: transposeB === true, transposeB: true })
        : multiply(gradient, b, { transposeB: transposeB !== true });
    const right =
      transposeB === true
        ? multiply(gradient, a, { transposeA: true, transposeB: transposeA === true })
        : multiply(a, gradient, { transposeA: transposeA !== true });
    return [left, right];
  };

const rules: Readonly<Record<string, Rule>> = {
  AddV2: binary(
    (g) => g,
    (g) => g,
  ),
  Sub: binary(
    (g) => g,
    (g) => neg(g),
  ),
  Mul: binary(
    (g, _, y) => mul(g, y),
    (g, x) => mul(g, x),
  ),
  RealDiv: binary(
    (g, _, y) => div(g, y),
    (g, x, y) => neg(div(mul(g, x), square(y))),
  ),
  Maximum: binary(
    (g, x, y) => mul(g, isLarger(x, y)),
    (g, x, y) => mul(g, sub(scalar(1), isLarger(x, y))),
  ),
  Minimum: binary(
    (g, x, y) => mul(g, sub(scalar(1), isLarger(x, y))),
    (g, x, y) => mul(g, isLarger(x, y)),
  ),
  SquaredDifference: binary(
    (g, x, y) => mul(mul(g, sub(x, y)), 2),
    (g, x, y) => mul(mul(g, sub(y, x)), 2),
  ),
  BiasAdd: (_node, g) => [g, sumRows(g)],
  Pow: (node, g) => {
    const [x, y] = [input(node, 0), input(node, 1).node.data?.[0] ?? 1];
    return [mul(mul(g, pow(x, y - 1)), y)];
  },
  Neg: unary((g) => neg(g)),
  Square: unary((g, x) => mul(mul(g, x), 2)),
  Sqrt: unary((g, _, y) => mul(div(g, y), 0.5)),
  Rsqrt: unary((g, _, y) => mul(mul(g, mul(y, square(y))), -0.5)),
  Exp: unary((g, _, y) => mul(g, y)),
  Log: unary((g, x) => div(g, x)),
  Tanh: unary((g, _, y) => mul(g, sub(scalar(1), square(y)))),
  Sigmoid: unary((g, x) => mul(g, mul(sigmoid(x), sub(scalar(1), sigmoid(x))))),
  Erf: unary((g, x) => mul(mul(g, exp(neg(square(x)))), 2 / Math.sqrt(Math.PI))),
  Relu: unary((g, x) => mul(g, cast(greaterEqual(x, 0), 'float32'))),
  Cast: (node, g) => [
    input(node, 0).dtype === 'float32' || input(node, 0).dtype === 'bfloat16'
      ? cast(g, input(node, 0).dtype)
      : undefined,
  ],
  SelectV2: (node, g) => {
    const zero = scalar(0);
    const [condition, yes, no] = [input(node, 0), input(node, 1), input(node, 2)];
    return [
      undefined,
      unbroadcast(where(condition, g, zero), yes),
      unbroadcast(where(condition, zero, g), no),
    ];
  },
  Reshape: (node, g) => [reshape(g, input(node, 0).shape)],
  Transpose: (node, g) => {
    const order = [...(input(node, 1).node.data ?? [])];
    const inverse = order.map((_, axis) => order.indexOf(axis));
    return [transpose(g, inverse)];
  },
  Slice: (node, g) => [padBack(node, g)],
  ConcatV2: (node, g) => {
    const parts = node.inputs.slice(0, -1);
    const axis = input(node, parts.length).node.data?.[0] ?? 0;
    let at = 0;
    return parts.map((part) => {
      const begin = part.shape.map((_, index) => (index === axis ? at : 0));
      at += lengthOf(part, axis);
      return slice(g, begin, part.shape);
    });
  },
  BroadcastTo: (node, g) => [unbroadcast(g, input(node, 0))],
  GatherV2: (node, g) => {
    const [table, indices] = [input(node, 0), input(node, 1)];
    const rows = sizeOf(indices.shape);
    return [
      segmentSum(reshape(g, [rows, ...table.shape.slice(1)]), reshape(indices, [rows]), lengthOf(table, 0)),
    ];
  },
  UnsortedSegmentSum: (node, g) => [gather(g, input(node, 1))],
  Sum: (node, g) => [expand(node, g)],
  Mean: (node, g) => {
    const count = sizeOf(input(node, 0).shape) / sizeOf(g.shape);
    return [expand(node, mul(g, 1 / count))];
  },
  Softmax: unary((g, x) => {
    const y = softmax(x);
    const weighted = mul(g, y);
    return sub(weighted, mul(y, sum(weighted, [-1], true)));
  }),
  LogSoftmax: unary((g, x) => sub(g, mul(exp(logSoftmax(x)), sum(g, [-1], true)))),
  MatMul: matMulRule(matMul),
  BatchMatMulV2: matMulRule(batchMatMul),
  L2Loss: unary((g, x) => mul(g, x)),
  Identity: (_node, g) => [g],
};

/** Puts a slice's gradient back in its place, with zeros around it. */
function padBack(node: Node, gradient: Tensor): Tensor {
  const x = input(node, 0);
  const begin = [...(input(node, 1).node.data ?? [])];
  let result = gradient;
  for (let axis = 0; axis < x.shape.length; axis++) {
    const before = begin[axis] ?? 0;
    const after = lengthOf(x, axis) - before - lengthOf(gradient, axis);
    const zeros = (length: number): readonly Tensor[] => {
      if (length === 0) return [];
      const shape = result.shape.map((size, index) => (index === axis ? length : size));
      return [constant(new Float32Array(sizeOf(shape)), shape)];
    };
    const parts = [...zeros(before), result, ...zeros(after)];
    if (parts.length > 1) result = concat(parts, axis);
  }
  return result;
}

/** The tensors that gradients flow to from a node. */
const sourcesOf = (node: Node): readonly Tensor[] => node.custom?.inputs ?? node.inputs;

/** Marks the nodes on a path from `wrt`: only they need gradients. */
function findNeeded(nodes: readonly Node[], wrt: readonly Tensor[]): ReadonlySet<Node> {
  const needed = new Set(wrt.map((tensor) => tensor.node));
  for (const node of nodes) {
    if (sourcesOf(node).some((source) => needed.has(source.node))) needed.add(node);
  }
  return needed;
}

/**
 * Gradients of `loss` (shape []) with respect to tensors, by reverse accumulation on the graph.
 *
 * Nothing is computed for what does not lead to one of them: frozen weights and the layers
 * below the lowest trained one cost nothing.
 */
export function gradients(loss: Tensor, wrt: readonly Tensor[]): readonly Tensor[] {
  return gradientsFrom(loss, scalar(1), wrt);
}

/** Gradients of Σ output·seed with respect to tensors; `seed` has the output's shape. */
export function gradientsFrom(output: Tensor, seed: Tensor, wrt: readonly Tensor[]): readonly Tensor[] {
  const nodes = collectNodes([output]);
  const needed = findNeeded(nodes, wrt);
  const found = new Map<Node, (Tensor | undefined)[]>();
  const addTo = (tensor: Tensor, gradient: Tensor): void => {
    const list = found.get(tensor.node) ?? [];
    const before = list[tensor.index];
    list[tensor.index] = before === undefined ? gradient : add(before, gradient);
    found.set(tensor.node, list);
  };
  addTo(output, seed);
  for (const node of [...nodes].reverse()) {
    const gradient = found.get(node)?.[0];
    if (gradient === undefined || !needed.has(node)) continue;
    const sources = sourcesOf(node);
    if (sources.length === 0) continue;
    const wanted = sources.map((source) => needed.has(source.node));
    const results = node.custom?.backward(gradient, wanted) ?? applyRule(node, gradient);
    results.forEach((result, index) => {
      const source = sources[index];
      if (source !== undefined && result !== undefined && wanted[index] === true) addTo(source, result);
    });
  }
  return wrt.map(
    (tensor) =>
      found.get(tensor.node)?.[tensor.index] ??
      constant(new Float32Array(sizeOf(tensor.shape)), tensor.shape),
  );
}

function applyRule(node: Node, gradient: Tensor): readonly (Tensor | undefined)[] {
  const rule = rules[node.op];
  if (rule === undefined) throw new Error(`Internal error: ${node.op} has no gradient.`);
  const output: Tensor = { node, index: 0, shape: gradient.shape, dtype: gradient.dtype };
  return rule(node, gradient, output);
}

/** Operations that have a gradient of their own; the tests check each. */
export const differentiableOps: readonly string[] = Object.keys(rules);
