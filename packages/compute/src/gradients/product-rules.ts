import { exp, mul, sub } from '../ops/elementwise.ts';
import { batchMatMul, matMul } from '../ops/matmul.ts';
import { logSoftmax, softmax } from '../ops/neural.ts';
import { broadcastTo, sum, sumRows } from '../ops/structure.ts';
import type { Rule } from './rule.ts';
import { inputOf, unary } from './rule.ts';

const matMulRule =
  (multiply: typeof matMul): Rule =>
  (node, gradient) => {
    const [a, b] = [inputOf(node, 0), inputOf(node, 1)];
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

/** Gradients of matrix products, and of what comes right after them. */
export const productRules: Readonly<Record<string, Rule>> = {
  BiasAdd: (_node, g) => [g, sumRows(g)],
  BiasAddGrad: (node, g) => [broadcastTo(g, inputOf(node, 0).shape)],
  Softmax: unary((g, x) => {
    const y = softmax(x);
    const weighted = mul(g, y);
    return sub(weighted, mul(y, sum(weighted, [-1], true)));
  }),
  LogSoftmax: unary((g, x) => sub(g, mul(exp(logSoftmax(x)), sum(g, [-1], true)))),
  MatMul: matMulRule(matMul),
  BatchMatMulV2: matMulRule(batchMatMul),
  L2Loss: unary((g, x) => mul(g, x)),
};
