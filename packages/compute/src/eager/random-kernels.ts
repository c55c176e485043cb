import type { Kernel } from './kernel.ts';
import { at, shapeOf } from './kernel.ts';

type Words4 = readonly [number, number, number, number];
type Words2 = readonly [number, number];

/** The upper 32 bits of a product of two 32-bit numbers; every part of it is exact in a double. */
function multiplyHigh(a: number, b: number): number {
  const low = Math.floor(((a & 0xffff) * b) / 65_536);
  return Math.floor(((a >>> 16) * b + low) / 65_536);
}

/** Four random 32-bit numbers from a counter and a key: Philox 4×32 with ten rounds (Salmon et al. 2011). */
function philox(counter: Words4, key: Words2): Words4 {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = [multiplyHigh(0xd2511f53, c0), Math.imul(0xd2511f53, c0)];
    const [high1, low1] = [multiplyHigh(0xcd9e8d57, c2), Math.imul(0xcd9e8d57, c2)];
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1 >>> 0, (high0 ^ c3 ^ k1) >>> 0, low0 >>> 0];
    [k0, k1] = [(k0 + 0x9e3779b9) >>> 0, (k1 + 0xbb67ae85) >>> 0];
  }
  return [c0, c1, c2, c3];
}

/** An int32 as the two words of an int64, the lower one first. */
const widen = (value: number): Words2 => [value >>> 0, value < 0 ? 0xffff_ffff : 0];

/** What TensorFlow's StatelessRandomUniform gives for float32, number for number. */
export const statelessRandomUniform: Kernel = (tf, inputs, node) => {
  const [first = 0, second = 0] = at(inputs, 1).dataSync();
  const [key0, key1, high0, high1] = philox([...widen(first), ...widen(second)], [0x3ec8f720, 0x02461e29]);
  const shape = shapeOf(node);
  const result = new Float32Array(shape.reduce((size, length) => size * length, 1));
  for (let index = 0; index < result.length; index += 4) {
    const words = philox([index / 4, 0, high0, high1], [key0, key1]);
    // The lower 23 bits are the fraction.
    for (let offset = 0; offset < 4 && index + offset < result.length; offset++)
      result[index + offset] = ((words[offset] ?? 0) & 0x7f_ffff) / 0x80_0000;
  }
  return tf.tensor(result, shape);
};
