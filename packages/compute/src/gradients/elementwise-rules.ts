import type { Tensor } from '../ir.ts';
import { makeTensor, scalar } from '../ir.ts';
import {
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
} from '../ops/elementwise.ts';
import type { Rule } from './rule.ts';
import { binary, inputOf, unary, unbroadcast } from './rule.ts';

const isLarger = (x: Tensor, y: Tensor): Tensor => cast(greaterEqual(x, y), 'float32');

const isFloat = ({ dtype }: Tensor): boolean => dtype === 'float32' || dtype === 'bfloat16';

/** The output tells where the input was in the sloping part, so only it is kept for the backward pass. */
const activationGradient = (op: 'ReluGrad' | 'Relu6Grad', gradient: Tensor, output: Tensor): Tensor =>
  makeTensor(op, [gradient, output], gradient.shape, gradient.dtype);

/** Gradients of the operations that work on each element by itself. */
export const elementwiseRules: Readonly<Record<string, Rule>> = {
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
  Pow: (node, g) => {
    const [x, y] = [inputOf(node, 0), inputOf(node, 1).node.data?.[0] ?? 1];
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
  // Where the input is exactly 0 the derivative is 0, as in TensorFlow and PyTorch.
  Relu: unary((g, _, y) => activationGradient('ReluGrad', g, y)),
  Relu6: unary((g, _, y) => activationGradient('Relu6Grad', g, y)),
  // Whole numbers and truth values are steps, whose derivative is 0.
  Cast: (node, g, y) => [
    isFloat(inputOf(node, 0)) && isFloat(y) ? cast(g, inputOf(node, 0).dtype) : undefined,
  ],
  SelectV2: (node, g) => {
    const zero = scalar(0);
    const [condition, yes, no] = [inputOf(node, 0), inputOf(node, 1), inputOf(node, 2)];
    return [
      undefined,
      unbroadcast(where(condition, g, zero), yes),
      unbroadcast(where(condition, zero, g), no),
    ];
  },
};
