import type * as Tfjs from '@tensorflow/tfjs-core';
import type { FusedBody, Node } from '../ir.ts';
import { collectNodes } from '../ir.ts';
import { convolutionKernels } from './convolution-kernels.ts';
import type { Kernel } from './kernel.ts';
import { at, multiply, numbers, shapeOf, sumOfRows } from './kernel.ts';
import { statelessRandomUniform } from './random-kernels.ts';

type TwoOperands = (left: Tfjs.Tensor, right: Tfjs.Tensor) => Tfjs.Tensor;
type OneOperand = (x: Tfjs.Tensor) => Tfjs.Tensor;

const binary =
  (pick: (tf: typeof Tfjs) => TwoOperands): Kernel =>
  (tf, inputs) =>
    pick(tf)(at(inputs, 0), at(inputs, 1));
const unary =
  (pick: (tf: typeof Tfjs) => OneOperand): Kernel =>
  (tf, inputs) =>
    pick(tf)(at(inputs, 0));

const keeps = (node: Node): boolean => node.attributes['keepDims'] === true;

const matMul: Kernel = (tf, inputs, { attributes }) =>
  multiply(
    tf,
    [at(inputs, 0), at(inputs, 1)],
    attributes['transposeA'] === true,
    attributes['transposeB'] === true,
  );

/** Sums rows in JavaScript: WebAssembly has no kernel for it. */
const segmentSum: Kernel = (tf, inputs, node) => {
  const [values, indices] = [at(inputs, 0).dataSync(), at(inputs, 1).dataSync()];
  const shape = shapeOf(node);
  const width = shape.slice(1).reduce((a, b) => a * b, 1);
  const result = new Float32Array((shape[0] ?? 0) * width);
  for (let row = 0; row < indices.length; row++) {
    const target = (indices[row] ?? 0) * width;
    for (let column = 0; column < width; column++)
      result[target + column] = (result[target + column] ?? 0) + (values[row * width + column] ?? 0);
  }
  return tf.tensor(result, shape);
};

const sparseCrossEntropy: Kernel = (tf, inputs) => {
  const [logits, labels] = [at(inputs, 0), at(inputs, 1)];
  const target = tf.cast(tf.oneHot(tf.cast(labels, 'int32'), logits.shape.at(-1) ?? 0), 'float32');
  return [tf.neg(tf.sum(tf.mul(target, tf.logSoftmax(logits)), -1)), tf.sub(tf.softmax(logits), target)];
};

/** erf by its power series for small x and its continued fraction otherwise would be slow here: tfjs' own, where it is. */
const erf: Kernel = (tf, inputs) => {
  const x = at(inputs, 0);
  if (tf.getKernel('Erf', tf.getBackend()) !== null && tf.getKernel('Erf', tf.getBackend()) !== undefined)
    return tf.erf(x);
  return tf.tensor(Float32Array.from(x.dataSync(), erfOf), x.shape);
};

/** erf(x), from W. J. Cody's rational approximations in the form of Numerical Recipes' erfc, relative error below 1.2e-7. */
function erfOf(x: number): number {
  const t = 1 / (1 + 0.5 * Math.abs(x));
  const exponent =
    -x * x -
    1.26551223 +
    t *
      (1.00002368 +
        t *
          (0.37409196 +
            t *
              (0.09678418 +
                t *
                  (-0.18628806 +
                    t *
                      (0.27886807 +
                        t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277))))))));
  const complement = t * Math.exp(exponent);
  return x >= 0 ? 1 - complement : complement - 1;
}

/** A box of a tensor replaced in JavaScript: tfjs has no such kernel. */
const updateSlice: Kernel = (tf, inputs, node) => {
  const [x, value] = [at(inputs, 0), at(inputs, 1)];
  const begin = at(inputs, 2).dataSync();
  const result = Float32Array.from(x.dataSync());
  const lengths = value.shape;
  const width = lengths.at(-1) ?? 1;
  const source = value.dataSync();
  for (let row = 0; row * width < source.length; row++) {
    let rest = row;
    let [place, step] = [0, 1];
    for (let axis = x.rank - 1; axis >= 0; axis--) {
      const length = axis === x.rank - 1 ? 1 : (lengths[axis] ?? 1);
      place += step * ((begin[axis] ?? 0) + (rest % length));
      rest = Math.floor(rest / length);
      step *= x.shape[axis] ?? 1;
    }
    result.set(source.subarray(row * width, (row + 1) * width), place);
  }
  return tf.tensor(result, shapeOf(node));
};

/** Pairs of float16 numbers, which are float32 tensors here, as one int32 each, and back. */
const bitcast: Kernel = (tf, inputs, node) => {
  const data = at(inputs, 0).dataSync();
  return node.outputs[0]?.dtype === 'int32'
    ? tf.tensor(new Int32Array(new Float16Array(data).buffer), shapeOf(node), 'int32')
    : tf.tensor(new Float32Array(new Float16Array(Int32Array.from(data).buffer)), shapeOf(node));
};

/** What runs each operation of the intermediate representation on tfjs' own backends. */
export const eagerKernels: Readonly<Record<string, Kernel>> = {
  ...convolutionKernels,
  AddV2: binary((tf) => tf.add),
  Sub: binary((tf) => tf.sub),
  Mul: binary((tf) => tf.mul),
  RealDiv: binary((tf) => tf.div),
  Maximum: binary((tf) => tf.maximum),
  Minimum: binary((tf) => tf.minimum),
  SquaredDifference: binary((tf) => tf.squaredDifference),
  Equal: binary((tf) => tf.equal),
  NotEqual: binary((tf) => tf.notEqual),
  GreaterEqual: binary((tf) => tf.greaterEqual),
  Greater: binary((tf) => tf.greater),
  LessEqual: binary((tf) => tf.lessEqual),
  Pow: binary((tf) => tf.pow),
  Less: binary((tf) => tf.less),
  BiasAdd: binary((tf) => tf.add),
  Neg: unary((tf) => tf.neg),
  Square: unary((tf) => tf.square),
  Sqrt: unary((tf) => tf.sqrt),
  Rsqrt: unary((tf) => tf.rsqrt),
  Exp: unary((tf) => tf.exp),
  Log: unary((tf) => tf.log),
  Tanh: unary((tf) => tf.tanh),
  Sigmoid: unary((tf) => tf.sigmoid),
  Relu: unary((tf) => tf.relu),
  Relu6: unary((tf) => tf.relu6),
  ReluGrad: (tf, inputs) => tf.mul(at(inputs, 0), tf.step(at(inputs, 1))),
  Relu6Grad: (tf, inputs) => {
    const [gradient, y] = [at(inputs, 0), at(inputs, 1)];
    return tf.mul(gradient, tf.mul(tf.step(y), tf.step(tf.sub(6, y))));
  },
  Erf: erf,
  Softmax: unary((tf) => (x) => tf.softmax(x)),
  LogSoftmax: unary((tf) => (x) => tf.logSoftmax(x)),
  Identity: unary((tf) => tf.clone),
  After: unary((tf) => tf.clone),
  Cast: (tf, inputs, node) =>
    node.outputs[0]?.dtype === 'float16'
      ? tf.tensor(new Float32Array(new Float16Array(at(inputs, 0).dataSync())), shapeOf(node))
      : tf.cast(
          at(inputs, 0),
          node.outputs[0]?.dtype === 'int32'
            ? 'int32'
            : node.outputs[0]?.dtype === 'bool'
              ? 'bool'
              : 'float32',
        ),
  Bitcast: bitcast,
  SelectV2: (tf, inputs) => tf.where(tf.cast(at(inputs, 0), 'bool'), at(inputs, 1), at(inputs, 2)),
  Reshape: (tf, inputs, node) => tf.reshape(at(inputs, 0), shapeOf(node)),
  Transpose: (tf, inputs, node) => tf.transpose(at(inputs, 0), numbers(node, 1)),
  Slice: (tf, inputs, node) => tf.slice(at(inputs, 0), numbers(node, 1), numbers(node, 2)),
  DynamicUpdateSlice: updateSlice,
  Pad: (tf, inputs, node) => {
    const amounts = numbers(node, 1);
    const pairs = shapeOf(node).map((_, axis): [number, number] => [
      amounts[2 * axis] ?? 0,
      amounts[2 * axis + 1] ?? 0,
    ]);
    return tf.pad(at(inputs, 0), pairs);
  },
  ConcatV2: (tf, inputs, node) => tf.concat(inputs.slice(0, -1), numbers(node, inputs.length - 1)[0] ?? 0),
  BroadcastTo: (tf, inputs, node) => tf.broadcastTo(at(inputs, 0), shapeOf(node)),
  GatherV2: (tf, inputs) => tf.gather(at(inputs, 0), tf.cast(at(inputs, 1), 'int32')),
  UnsortedSegmentSum: segmentSum,
  OneHot: (tf, inputs, node) =>
    tf.cast(tf.oneHot(tf.cast(at(inputs, 0), 'int32'), Number(node.attributes['depth'])), 'float32'),
  Sum: (tf, inputs, node) => tf.sum(at(inputs, 0), numbers(node, 1), keeps(node)),
  Mean: (tf, inputs, node) => tf.mean(at(inputs, 0), numbers(node, 1), keeps(node)),
  Max: (tf, inputs, node) => tf.max(at(inputs, 0), numbers(node, 1), keeps(node)),
  ArgMax: (tf, inputs) => tf.argMax(at(inputs, 0), -1),
  MatMul: matMul,
  BatchMatMulV2: matMul,
  SparseSoftmaxCrossEntropyWithLogits: sparseCrossEntropy,
  BiasAddGrad: (tf, inputs) => sumOfRows(tf, at(inputs, 0)),
  StatelessRandomUniform: statelessRandomUniform,
  L2Loss: (tf, inputs) => tf.mul(tf.sum(tf.square(at(inputs, 0))), 0.5),
  Fused: (tf, inputs, node) => {
    if (node.body === undefined) throw new Error('Internal error: a fused node without a body.');
    return runBody(tf, inputs, node.body);
  },
};

/** A fused function, one operation after the other. */
function runBody(tf: typeof Tfjs, inputs: readonly Tfjs.Tensor[], body: FusedBody): readonly Tfjs.Tensor[] {
  const values = new Map<Node, readonly Tfjs.Tensor[]>();
  body.parameters.forEach((parameter, index) => values.set(parameter.node, [at(inputs, index)]));
  const valueOf = (node: Node, index: number): Tfjs.Tensor => at(values.get(node) ?? [], index);
  for (const node of collectNodes(body.results)) {
    if (values.has(node)) continue;
    const kernel = eagerKernels[node.op];
    if (node.op === 'Const')
      values.set(node, [
        tf.tensor(node.data ?? [], shapeOf(node), node.outputs[0]?.dtype === 'int32' ? 'int32' : 'float32'),
      ]);
    else if (kernel === undefined) throw new Error(`Internal error: ${node.op} cannot run here.`);
    else
      values.set(
        node,
        [kernel(tf, node.inputs.map((tensor) => valueOf(tensor.node, tensor.index)), node)].flat(), // prettier-ignore
      );
  }
  return body.results.map((result) => tf.clone(valueOf(result.node, result.index)));
}
