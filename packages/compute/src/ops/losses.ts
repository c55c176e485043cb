import type { Tensor } from '../ir.ts';
import { constant, makeNode, scalar } from '../ir.ts';
import { add, cast, div, equal, exp, log, maximum, mul, notEqual, sub, where } from './elementwise.ts';
import { fuse } from './fuse.ts';
import { matMul } from './matmul.ts';
import { logSoftmax } from './neural.ts';
import { lengthOf } from './shapes.ts';
import { after, concat, gather, max, mean, oneHot, reshape, slice, sum, withGradient } from './structure.ts';

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
  /** ε: the target is 1−ε on the label and ε/vocabulary on each token (Szegedy et al. 2016); the default is 0. */
  readonly labelSmoothing?: number;
  /** A weight for each row [rows]; absent means 1. */
  readonly rowWeights?: Tensor;
  /** Rows whose logits exist at the same time; the default takes about 128 MB for them. */
  readonly chunkRows?: number;
  /**
   * Which gradients will be taken, if it is known. Then they are computed before the next rows' logits, which makes a
   * difference to memory alone.
   */
  readonly trains?: { readonly states: boolean; readonly head: boolean };
}

const chunkElements = 1 << 25;

/** Rows of logits [rows, vocabulary] in chunks of about 128 MB. */
const defaultChunk = (vocabulary: number): number =>
  Math.max(128, Math.floor(chunkElements / vocabulary / 128) * 128);

/** Logits of some rows, and what their loss needs in both directions. */
interface LossChunk {
  readonly states: Tensor;
  /** [rows, vocabulary] */
  readonly logits: Tensor;
  /** [rows, 1] */
  readonly labels: Tensor;
  /** Near the largest logit, and Σ exp(logit − shift); each [rows, 1]. */
  readonly shift: Tensor;
  readonly sum: Tensor;
  /** [rows, 1] */
  readonly weights: Tensor;
  /** Σ wᵢ·lossᵢ, shape []. */
  readonly total: Tensor;
}

/** Gradients of some rows' states [rows, hidden] and of the head [vocabulary, hidden]. */
interface HeadGradients {
  readonly toStates?: Tensor;
  readonly toHead?: Tensor;
}

/** Tokens' numbers [vocabulary] = labels [rows, 1], as numbers. */
const isLabel = (labels: Tensor, vocabulary: number): Tensor =>
  cast(equal(constant(Int32Array.from({ length: vocabulary }, (_, token) => token), [1, vocabulary], 'int32'), labels), 'float32'); // prettier-ignore

/** Tokens among which the largest logit is looked for. */
const searched = 4096;

/**
 * The loss of one chunk: log Σ exp(z − shift) + shift − z[label].
 *
 * The shift only has to be near the largest logit, so it is the largest of some: looking through all would take longer than
 * the sum does. Should a logit be more than 88 above it, the loss is infinite, which training tells.
 */
function makeChunk(chunk: Omit<LossChunk, 'shift' | 'sum' | 'total'>, smoothing: number): LossChunk {
  const { logits, labels, weights } = chunk;
  const [rows = 0, vocabulary = 0] = logits.shape;
  const [shift] = fuse(
    [logits],
    (values) => [max(slice(values, [0, 0], [rows, Math.min(vocabulary, searched)]), [1], true)] as const,
  ); // [rows, 1]
  const [powers] = fuse([logits, shift], (values, top) => [sum(exp(sub(values, top)), [1], true)] as const); // [rows, 1]
  const starts = constant(
    Int32Array.from({ length: rows }, (_, row) => row * vocabulary),
    [rows, 1],
    'int32',
  );
  // Rows without a label point somewhere; they weigh nothing.
  const safe = maximum(labels, scalar(0, 'int32'));
  const found = gather(reshape(logits, [rows * vocabulary]), add(starts, safe)); // [rows, 1]
  const target =
    smoothing === 0
      ? found
      : add(
          mul(found, 1 - smoothing),
          mul(fuse([logits], (values) => [mean(values, [1], true)] as const)[0], smoothing),
        );
  const loss = sub(add(log(powers), shift), target);
  return { ...chunk, shift, sum: powers, total: sum(mul(loss, weights)) };
}

/** The gradient of the logits [rows, vocabulary]: w·g·(softmax − target). */
function chunkGradient(chunk: LossChunk, gradient: Tensor, smoothing: number): Tensor {
  const vocabulary = lengthOf(chunk.logits, 1);
  const { logits, labels, shift, sum: total, weights } = chunk;
  return fuse(
    [logits, labels, shift, total, mul(weights, gradient)],
    (values, numbers, top, powers, factor) => {
      const probabilities = mul(exp(sub(values, top)), div(factor, powers));
      const target = mul(isLabel(numbers, vocabulary), mul(factor, 1 - smoothing));
      const rest = sub(probabilities, target);
      return [smoothing === 0 ? rest : sub(rest, mul(factor, smoothing / vocabulary))] as const;
    },
  )[0];
}

const multiply = (
  { states }: LossChunk,
  toLogits: Tensor,
  head: Tensor,
  needed: { readonly states: boolean; readonly head: boolean },
): HeadGradients => ({
  ...(needed.states ? { toStates: matMul(toLogits, head) } : {}),
  ...(needed.head ? { toHead: matMul(toLogits, states, { transposeA: true }) } : {}),
});

/** The gradients of all chunks: rows one below the other, the head's added up. */
function joinGradients(parts: readonly HeadGradients[]): readonly [Tensor | undefined, Tensor | undefined] {
  const states = parts.flatMap(({ toStates }) => toStates ?? []);
  const heads = parts.flatMap(({ toHead }) => toHead ?? []);
  return [
    states.length < 2 ? states[0] : concat(states, 0),
    heads.length < 2
      ? heads[0]
      : heads.reduce((left, right) => fuse([left, right], (x, y) => [add(x, y)] as const)[0]),
  ];
}

/**
 * −log softmax(x·Wᵀ)[label] for states x [rows, hidden], a head W [vocabulary, hidden] and labels [rows], int32.
 *
 * The logits are the largest tensors of a language model: they are made for some rows at a time, and each is read
 * twice, by the loss and by the gradient, without ever becoming probabilities in memory.
 */
export function headCrossEntropy(
  x: Tensor,
  head: Tensor,
  labels: Tensor,
  options: HeadCrossEntropyOptions = {},
): CrossEntropy {
  const [rows = 0, hidden = 0] = x.shape;
  const { ignoreLabel = -100, labelSmoothing = 0, rowWeights } = options;
  const { chunkRows = defaultChunk(lengthOf(head, 0)) } = options;
  const counts = cast(notEqual(labels, ignoreLabel), 'float32');
  const weights = rowWeights === undefined ? counts : mul(counts, rowWeights);
  // With one chunk there is nothing to keep from being there at the same time.
  const trains = rows > chunkRows ? options.trains : undefined;
  const chunks: LossChunk[] = [];
  const early: HeadGradients[] = [];
  for (let begin = 0; begin < rows; begin += chunkRows) {
    const count = Math.min(chunkRows, rows - begin);
    const part = (tensor: Tensor): Tensor => reshape(slice(tensor, [begin], [count]), [count, 1]);
    const before = early.at(-1)?.toHead ?? early.at(-1)?.toStates ?? chunks.at(-1)?.total;
    const own = rows === count ? x : slice(x, [begin, 0], [count, hidden]);
    const states = before === undefined ? own : after(own, before);
    const logits = matMul(states, head, { transposeB: true }); // [count, vocabulary]
    const chunk = makeChunk({ states, logits, labels: part(labels), weights: part(weights) }, labelSmoothing);
    chunks.push(chunk);
    if (trains !== undefined)
      early.push(multiply(chunk, chunkGradient(chunk, scalar(1), labelSmoothing), head, trains));
  }
  return {
    weight: sum(weights),
    total: withGradient(
      chunks.map((chunk) => chunk.total).reduce((left, right) => add(left, right)),
      [x, head],
      (gradient, needed) => {
        const wanted = { states: needed[0] === true, head: needed[1] === true };
        const isEarly =
          trains !== undefined && (trains.states || !wanted.states) && (trains.head || !wanted.head);
        if (isEarly)
          return joinGradients(early).map((tensor) =>
            tensor === undefined ? undefined : mul(tensor, gradient),
          );
        return joinGradients(
          chunks.map((chunk) =>
            multiply(chunk, chunkGradient(chunk, gradient, labelSmoothing), head, wanted),
          ),
        );
      },
    ),
  };
}
