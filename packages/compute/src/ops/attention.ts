import type { Tensor } from '../ir.ts';
import { constant } from '../ir.ts';
import { add, cast, mul, sub } from './elementwise.ts';
import { makeDrop } from './dropout.ts';
import type { Dropout } from './dropout.ts';
import { fuse } from './fuse.ts';
import { batchMatMul } from './matmul.ts';
import { softmax } from './neural.ts';
import { lengthOf } from './shapes.ts';
import { concat, keptAsOperand, reshape, slice, sum, transpose, withGradient } from './structure.ts';

/** Added to a score where attention is forbidden: far below any score, and still finite. */
const forbidden = -1e9;

/**
 * softmax(q·kᵀ + bias)·v for q [batch, heads, time, headDim], already scaled, and k, v [batch, groups, time, headDim].
 *
 * With fewer groups than heads, heads/groups consecutive heads share one k and v (Ainslie et al. 2023).
 * `bias` broadcasts to [batch, heads, time, time] and is large and negative where attention is forbidden;
 * no gradient flows to it. Only the probabilities are kept for the backward pass.
 */
export const attention = (q: Tensor, k: Tensor, v: Tensor, bias: Tensor): Tensor =>
  attentionWith(q, k, v, { bias });

/** What {@link attentionWith} adds to scores, and drops. */
export interface AttentionOptions {
  readonly bias: Tensor;
  /** Of probabilities; absent: nothing. */
  readonly dropout?: Dropout;
}

/** {@link attention} of which probabilities may be dropped. */
export function attentionWith(q: Tensor, k: Tensor, v: Tensor, { bias, dropout }: AttentionOptions): Tensor {
  const [batch = 0, heads = 0, time = 0, headDim = 0] = q.shape;
  const groups = lengthOf(k, 1);
  const keys = lengthOf(k, 2);
  // Heads that share a key lie one below the other, so one product serves them all.
  const folded = [batch, groups, (heads / groups) * time, headDim];
  const queries = reshapeTo(q, folded);
  const scores = reshapeTo(batchMatMul(queries, k, { transposeB: true }), [batch, heads, time, keys]);
  const places = [...folded.slice(0, 3), keys];
  const drop = dropout === undefined ? (x: Tensor): Tensor => x : makeDrop(places, dropout);
  const all = reshapeTo(softmax(add(scores, bias)), places);
  const kept = keptAsOperand(drop(all));
  // What is dropped is multiplied, but the backward pass of softmax needs all of it.
  const probabilities = dropout === undefined ? kept : all;
  const mixed = withGradient(batchMatMul(kept, v), [queries, k, v], (gradient, needed) => {
    const gradientV = needed[2] === true ? batchMatMul(kept, gradient, { transposeA: true }) : undefined;
    if (needed[0] !== true && needed[1] !== true) return [undefined, undefined, gradientV];
    const toProbabilities = drop(batchMatMul(gradient, v, { transposeB: true }));
    const [toScores] = fuse([toProbabilities, probabilities], (g, p) => {
      const weighted = mul(g, p);
      return [sub(weighted, mul(p, sum(weighted, [-1], true)))] as const;
    });
    return [
      needed[0] === true ? batchMatMul(toScores, k) : undefined,
      needed[1] === true ? batchMatMul(toScores, queries, { transposeA: true }) : undefined,
      gradientV,
    ];
  });
  return reshapeTo(mixed, q.shape);
}

const reshapeTo = (x: Tensor, shape: readonly number[]): Tensor =>
  x.shape.every((length, axis) => length === shape[axis]) ? x : reshape(x, shape);

/** How rows of tokens lie in heads: x is [batch·time, heads·headDim]. */
export interface HeadShape {
  readonly batch: number;
  readonly time: number;
  readonly heads: number;
  readonly headDim: number;
}

/**
 * Rows [batch·time, heads·headDim] as heads [batch, heads, time, headDim], rotated and scaled on the way when asked.
 */
export function splitHeads(
  x: Tensor,
  { batch, time, heads, headDim }: HeadShape,
  options: { readonly rope?: RopeTables; readonly scale?: number } = {},
): Tensor {
  const { rope: tables, scale = 1 } = options;
  const inputs: readonly Tensor[] = tables === undefined ? [] : [tables.cosine, tables.sine];
  const [output] = fuse<readonly Tensor[], readonly [Tensor]>(
    [x, ...inputs],
    (...[rows = x, cosine, sine]) => {
      const apart = transpose(reshape(rows, [batch, time, heads, headDim]), [0, 2, 1, 3]);
      const turned = turn(apart, cosine, sine, false);
      return [scale === 1 ? turned : mul(turned, scale)];
    },
  );
  return withGradient(output, [x], (gradient) =>
    fuse<readonly Tensor[], readonly [Tensor]>(
      [gradient, ...inputs],
      (...[outer = gradient, cosine, sine]) => {
        const turned = turn(scale === 1 ? outer : mul(outer, scale), cosine, sine, true);
        return [reshape(transpose(turned, [0, 2, 1, 3]), x.shape)];
      },
    ),
  );
}

/** Heads [batch, heads, time, headDim] as rows [batch·time, heads·headDim]. */
export function joinHeads(x: Tensor): Tensor {
  const [batch = 0, heads = 0, time = 0, headDim = 0] = x.shape;
  const [output] = fuse(
    [x],
    (states) => [reshape(transpose(states, [0, 2, 1, 3]), [batch * time, heads * headDim])] as const,
  );
  return withGradient(output, [x], (gradient) =>
    fuse(
      [gradient],
      (outer) => [transpose(reshape(outer, [batch, time, heads, headDim]), [0, 2, 1, 3])] as const,
    ),
  );
}

const turn = (x: Tensor, cosine: Tensor | undefined, sine: Tensor | undefined, isBack: boolean): Tensor =>
  cosine === undefined || sine === undefined ? x : rotate(x, cosine, sine, isBack);

/** Far below any score where a token may not look, bool, and 0 elsewhere: for {@link attention}'s bias. */
export const forbid = (isHidden: Tensor): Tensor => mul(cast(isHidden, 'float32'), forbidden);

/** 0 on and below the diagonal, forbidden above it: [1, 1, time, time], so that no token sees a later one. */
export function causalBias(time: number): Tensor {
  const data = new Float32Array(time * time);
  for (let row = 0; row < time; row++) data.fill(forbidden, row * time + row + 1, (row + 1) * time);
  return constant(data, [1, 1, time, time]);
}

/** 0 where mask [batch, time] is 1 and forbidden where it is 0: [batch, 1, 1, time], so that padding is not seen. */
export function paddingBias(mask: Tensor): Tensor {
  const [batch = 0, time = 0] = mask.shape;
  return reshape(mul(sub(mask, 1), -forbidden), [batch, 1, 1, time]);
}

/** The rotations of {@link rope}, for the positions 0 … time − 1. */
export interface RopeTables {
  /** [time, headDim / 2]. */
  readonly cosine: Tensor;
  /** [time, headDim / 2]. */
  readonly sine: Tensor;
}

/** Angles t·f for the frequencies f; by default those of Su et al. 2021, θ^(−2i/headDim). */
export function makeRopeTables(
  time: number,
  headDim: number,
  options: { readonly theta?: number; readonly frequencies?: readonly number[] } = {},
): RopeTables {
  const half = headDim / 2;
  const { theta = 10_000 } = options;
  const frequencies = options.frequencies ?? Array.from({ length: half }, (_, i) => theta ** (-i / half));
  const angles = Float64Array.from(
    { length: time * half },
    (_, index) => Math.floor(index / half) * (frequencies[index % half] ?? 0),
  );
  return {
    cosine: constant(Float32Array.from(angles, Math.cos), [time, half]),
    sine: constant(Float32Array.from(angles, Math.sin), [time, half]),
  };
}

/**
 * Rotary position embedding of x [batch, heads, time, headDim]: element i is rotated with element i + headDim/2,
 * the layout of Hugging Face's weights.
 */
export function rope(x: Tensor, { cosine, sine }: RopeTables): Tensor {
  const turn = (y: Tensor, isBack: boolean): Tensor =>
    fuse([y, cosine, sine], (states, cos, sin) => [rotate(states, cos, sin, isBack)] as const)[0];
  // A rotation's transpose is the rotation back.
  return withGradient(turn(x, false), [x], (gradient) => [turn(gradient, true)]);
}

function rotate(x: Tensor, cosine: Tensor, sine: Tensor, isBack: boolean): Tensor {
  const half = lengthOf(x, -1) / 2;
  const axis = x.shape.length - 1;
  const size = [...x.shape.slice(0, -1), half];
  const left = slice(x, size.map(() => 0), size); // prettier-ignore
  const right = slice(x, size.map((_, index) => (index === axis ? half : 0)), size); // prettier-ignore
  const [turn, back] = isBack ? [add, sub] : [sub, add];
  return concat([turn(mul(left, cosine), mul(right, sine)), back(mul(right, cosine), mul(left, sine))], axis);
}
