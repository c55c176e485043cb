import { expect, test } from 'vitest';
import { measureAlignment, measureUniformity } from '../src/index.ts';

test('alignment is the mean squared distance of pairs', () => {
  // (1, 0) beside (1, 0), and (1, 0) beside (0, 1), which are √2 apart.
  expect(measureAlignment([1, 0, 1, 0], [1, 0, 0, 1], 2)).toBe(1);
});

test('uniformity is 0 in one point, and lower the further points are apart', () => {
  expect(measureUniformity([1, 0, 1, 0, 1, 0], 2)).toBe(0);
  // Squared distances 2, 4 and 2.
  const expected = Math.log((2 * Math.exp(-4) + Math.exp(-8)) / 3);
  expect(measureUniformity([1, 0, 0, 1, -1, 0], 2)).toBeCloseTo(expected, 12);
});
