import type { Node, Tensor } from '../ir.ts';
import { constant, makeTensor } from '../ir.ts';
import type { Rule } from './rule.ts';
import { inputOf } from './rule.ts';

const shapeTensor = (x: Tensor): Tensor => constant(x.shape, [x.shape.length], 'int32');

/** TensorFlow's own backward kernels, which know oneDNN's layouts. */
const convolutionRule =
  (op: 'Conv2D' | 'DepthwiseConv2dNative'): Rule =>
  (node, gradient) => {
    const [x, filter] = [inputOf(node, 0), inputOf(node, 1)];
    const make = (suffix: string, inputs: readonly Tensor[], like: Tensor): Tensor =>
      makeTensor(`${op}Backprop${suffix}`, inputs, like.shape, like.dtype, node.attributes);
    return [
      make('Input', [shapeTensor(x), filter, gradient], x),
      make('Filter', [x, shapeTensor(filter), gradient], filter),
    ];
  };

const poolGradient = (op: string, node: Node, inputs: readonly Tensor[]): Tensor =>
  makeTensor(op, inputs, inputOf(node, 0).shape, inputOf(node, 0).dtype, node.attributes);

/** Gradients of convolutions and pooling. */
export const convolutionRules: Readonly<Record<string, Rule>> = {
  Conv2D: convolutionRule('Conv2D'),
  DepthwiseConv2dNative: convolutionRule('DepthwiseConv2dNative'),
  // Equal largest elements: the first takes the whole gradient.
  MaxPool: (node, g, y) => [poolGradient('MaxPoolGrad', node, [inputOf(node, 0), y, g])],
  AvgPool: (node, g) => [poolGradient('AvgPoolGrad', node, [shapeTensor(inputOf(node, 0)), g])],
};
