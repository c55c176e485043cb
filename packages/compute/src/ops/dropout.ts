import type { Tensor } from '../ir.ts';
import { constant, makeTensor } from '../ir.ts';
import { cast, greaterEqual, mul } from './elementwise.ts';
import { fuse } from './fuse.ts';
import { withGradient } from './structure.ts';

/** What is dropped, and the numbers that decide where. */
export interface Dropout {
  /** The share of elements that become 0. */
  readonly rate: number;
  /** int32 [2]: equal seeds drop equal places, on every backend. */
  readonly seed: Tensor;
}

/**
 * Numbers in [0, 1) of a shape, which follow from their places and the seed, int32 [2], alone: Philox 4×32-10
 * (Salmon et al. 2011), keyed as TensorFlow keys its stateless operations. It has no gradient.
 */
export function randomUniform(shape: readonly number[], seed: Tensor): Tensor {
  return makeTensor(
    'StatelessRandomUniform',
    [constant(shape, [shape.length], 'int32'), seed],
    shape,
    'float32',
  );
}

/** What {@link dropout} multiplies with: a function of two equal shapes, in one pass over them. */
export function makeDrop(shape: readonly number[], { rate, seed }: Dropout): (x: Tensor) => Tensor {
  const draws = randomUniform(shape, seed);
  const scale = 1 / (1 - rate);
  return (x) =>
    fuse(
      [x, draws],
      (values, drawn) => [mul(values, mul(cast(greaterEqual(drawn, rate), 'float32'), scale))] as const,
    )[0];
}

/** x / (1 − rate) where it is kept, and 0 where it is dropped (Srivastava et al. 2014). */
export function dropout(x: Tensor, options: Dropout): Tensor {
  const drop = makeDrop(x.shape, options);
  return withGradient(drop(x), [x], (gradient) => [drop(gradient)]);
}
