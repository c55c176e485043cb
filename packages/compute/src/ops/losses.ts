import type { Tensor } from '../ir.ts';
import { makeNode, scalar } from '../ir.ts';
import { add, cast, exp, mul, notEqual, sub, where } from './elementwise.ts';
import { matMul } from './matmul.ts';
import { logSoftmax } from './neural.ts';
import { lengthOf } from './shapes.ts';
import { after, concat, gather, oneHot, reshape, slice, sum, withGradient } from './structure.ts';

/** Settings of the cross-entropy. */
export interface CrossEntropyOptions {
  /** Rows with this label do not count; the default is −100. */
  readonly ignoreLabel?: number;
  /** ε: the target is 1−ε on the label and ε/classes on each class (Szegedy et al. 2016); the default is 0. */
  readonly labelSmoothing?: number;
  /** A weight for each class [classes]. */
  readonly classWeights?: Tensor;
  /** Rows that count, with their weights [rows], multiplied with the class weights. */
  readonly rowWeights?: Tensor;
}

/** The summed loss and the summed weight of its rows: loss / weight is the mean, as in PyTorch. */
export interface CrossEntropy {
  /** Σ wᵢ·lossᵢ, shape []. */
  readonly total: Tensor;
  /** Σ wᵢ, shape []. */
  readonly weight: Tensor;
}

/** −log softmax(logits)[label], for logits [rows, classes] and labels [rows], int32. */
export function softmaxCrossEntropy(
  logits: Tensor,
  labels: Tensor,
  options: CrossEntropyOptions = {},
): CrossEntropy {
  const { ignoreLabel = -100, labelSmoothing = 0, classWeights, rowWeights } = options;
  const classes = lengthOf(logits, -1);
  const counts = notEqual(labels, ignoreLabel);
  const safe = where(counts, labels, scalar(0, 'int32'));
  let weights = cast(counts, 'float32');
  if (rowWeights !== undefined) weights = mul(weights, rowWeights);
  if (classWeights !== undefined) weights = mul(weights, gather(classWeights, safe));
  const losses =
    labelSmoothing === 0 ? sparseLosses(logits, safe) : smoothLosses(logits, safe, labelSmoothing, classes);
  return { total: sum(mul(losses, weights)), weight: sum(weights) };
}

/** One loss a row; TensorFlow's kernel gives softmax − target along with it, so the backward pass costs one product. */
function sparseCrossEntropy(
  logits: Tensor,
  labels: Tensor,
): { readonly losses: Tensor; readonly backprop: Tensor } {
  const [losses, backprop] = makeNode(
    'SparseSoftmaxCrossEntropyWithLogits',
    [logits, labels],
    [
      { shape: labels.shape, dtype: 'float32' },
      { shape: logits.shape, dtype: 'float32' },
    ],
  );
  if (losses === undefined || backprop === undefined)
    throw new Error('Internal error: a node without outputs.');
  return { losses, backprop };
}

function sparseLosses(logits: Tensor, labels: Tensor): Tensor {
  const { losses, backprop } = sparseCrossEntropy(logits, labels);
  return withGradient(losses, [logits], (gradient) => [
    mul(backprop, reshape(gradient, [...labels.shape, 1])),
  ]);
}

function smoothLosses(logits: Tensor, labels: Tensor, smoothing: number, classes: number): Tensor {
  const target = add(mul(oneHot(labels, classes), 1 - smoothing), smoothing / classes); // [rows, classes]
  const logProbabilities = logSoftmax(logits);
  const losses = mul(sum(mul(target, logProbabilities), [-1]), -1);
  return withGradient(losses, [logits], (gradient) => [
    mul(sub(exp(logProbabilities), target), reshape(gradient, [...labels.shape, 1])),
  ]);
}

/** Settings of {@link headCrossEntropy}. */
export interface HeadCrossEntropyOptions {
  /** Rows with this label do not count; the default is −100. */
  readonly ignoreLabel?: number;
  /** A weight for each row [rows]; absent means 1. */
  readonly rowWeights?: Tensor;
  /** Rows whose logits exist at the same time; the default is 128. */
  readonly chunkRows?: number;
  /**
   * Which gradients will be taken, if it is known. Then they are computed before the next rows' logits, which makes a
   * difference to memory alone.
   */
  readonly trains?: { readonly states: boolean; readonly head: boolean };
}

/**
 * −log softmax(x·Wᵀ)[label] for states x [rows, hidden], a head W [vocabulary, hidden] and labels [rows], int32.
 *
 * The logits of all rows would be the largest tensor of a language model. They are made for some rows at a time,
 * and the gradients of x and W with them, so that neither logits nor their gradients are kept.
 */
export function headCrossEntropy(
  x: Tensor,
  head: Tensor,
  labels: Tensor,
  options: HeadCrossEntropyOptions = {},
): CrossEntropy {
  const { ignoreLabel = -100, rowWeights, chunkRows = 128, trains } = options;
  const [rows = 0, hidden = 0] = x.shape;
  const counts = notEqual(labels, ignoreLabel);
  const safe = where(counts, labels, scalar(0, 'int32'));
  const weights =
    rowWeights === undefined ? cast(counts, 'float32') : mul(cast(counts, 'float32'), rowWeights);
  const chunks: HeadChunk[] = [];
  for (let begin = 0; begin < rows; begin += chunkRows) {
    const count = Math.min(chunkRows, rows - begin);
    const states = inTurn(slice(x, [begin, 0], [count, hidden]), chunks.at(-1));
    const weight = slice(weights, [begin], [count]);
    const logits = matMul(states, head, { transposeB: true }); // [count, vocabulary]
    const { losses, backprop } = sparseCrossEntropy(logits, slice(safe, [begin], [count]));
    const scaled = mul(backprop, reshape(weight, [count, 1]));
    chunks.push({
      states,
      total: sum(mul(losses, weight)),
      backprop: scaled,
      ...(trains?.states === true ? { toStates: matMul(scaled, head) } : {}),
      ...(trains?.head === true ? { toHead: addHead(chunks.at(-1)?.toHead, scaled, states) } : {}),
    });
  }
  const total = chunks.map((chunk) => chunk.total).reduce((left, right) => add(left, right));
  return {
    weight: sum(weights),
    total: withGradient(total, [x, head], (gradient, needed) => {
      const toStates = chunks.map((chunk) => chunk.toStates ?? matMul(chunk.backprop, head));
      return [
        needed[0] === true ? mul(concat(toStates, 0), gradient) : undefined,
        needed[1] === true ? mul(sumHead(chunks), gradient) : undefined,
      ];
    }),
  };
}

/** Some rows of {@link headCrossEntropy}. */
interface HeadChunk {
  readonly states: Tensor;
  readonly total: Tensor;
  /** Gradients of the logits [rows, vocabulary]. */
  readonly backprop: Tensor;
  /** Gradients of the states [rows, hidden]. */
  readonly toStates?: Tensor;
  /** The head's gradient from these rows and those before [vocabulary, hidden]. */
  readonly toHead?: Tensor;
}

/** x, once the chunk before has given its loss and its gradients. */
const inTurn = (x: Tensor, before: HeadChunk | undefined): Tensor =>
  [before?.total, before?.toStates, before?.toHead].reduce<Tensor>(
    (ready, gradient) => (gradient === undefined ? ready : after(ready, gradient)),
    x,
  );

function addHead(before: Tensor | undefined, backprop: Tensor, states: Tensor): Tensor {
  const product = matMul(backprop, states, { transposeA: true });
  return before === undefined ? product : add(before, product);
}

const sumHead = (chunks: readonly HeadChunk[]): Tensor =>
  chunks.at(-1)?.toHead ??
  chunks
    .map(({ backprop, states }) => matMul(backprop, states, { transposeA: true }))
    .reduce((left, right) => add(left, right));
