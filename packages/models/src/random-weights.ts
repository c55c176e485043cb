import type { WeightSpec } from './weight-specs.ts';
import type { NamedTensor } from './tensors.ts';

/** A generator of numbers in [0, 1): mulberry32, a 32-bit state, the same everywhere. */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A 32-bit seed that depends on another and on a name, by FNV-1a. */
export function deriveSeed(seed: number, name: string): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let index = 0; index < name.length; index++)
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193) >>> 0;
  return hash;
}

/** Newly drawn values of a weight: normal(0, range), zeros or ones, as Hugging Face draws them. */
export function drawWeight(spec: WeightSpec, range: number, seed: number): NamedTensor {
  const data = new Float32Array(spec.shape.reduce((product, length) => product * length, 1));
  if (spec.init === 'ones') data.fill(1);
  if (spec.init === 'normal') {
    const random = makeRandom(deriveSeed(seed, spec.name));
    // Box and Muller's transform.
    for (let index = 0; index < data.length; index++) {
      data[index] = range * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    }
  }
  return { name: spec.name, shape: spec.shape, data };
}
