import { expect, test } from 'vitest';
import { ropeFrequencies } from '../../src/llama/rope-frequencies.ts';

const relative = (left: readonly number[], right: readonly number[]): number =>
  Math.max(...left.map((value, index) => Math.abs(value / (right[index] ?? Number.NaN) - 1)));

test('frequencies of Llama 3.2 are those of transformers', () => {
  const own = ropeFrequencies({
    headDim: 16,
    ropeTheta: 500_000,
    ropeScaling: {
      type: 'llama3',
      factor: 32,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalPositions: 8192,
    },
  });
  // ROPE_INIT_FUNCTIONS['llama3'] of transformers 5.24.
  const theirs = [
    1.0, 0.193922758102417, 0.03760603070259094, 0.00729266507551074, 0.000429556705057621,
    8.570255886297673e-6, 1.6619674170215148e-6, 3.2229328894572973e-7,
  ];
  expect(own).toHaveLength(8);
  expect(relative(own, theirs)).toBeLessThan(1e-6);
});

test('a linear scaling divides every frequency', () => {
  const plain = ropeFrequencies({ headDim: 16, ropeTheta: 10_000 });
  const halved = ropeFrequencies({
    headDim: 16,
    ropeTheta: 10_000,
    ropeScaling: { type: 'linear', factor: 2 },
  });
  expect(plain.slice(0, 2)).toEqual([1, 10_000 ** (-1 / 8)]);
  expect(halved).toEqual(plain.map((frequency) => frequency / 2));
});
