import { expect, test } from 'vitest';
import { comparePaired } from '../../src/language/paired.ts';

test('answers that are right or wrong are compared by the exact McNemar test', () => {
  const first = [...Array<number>(10).fill(1), 0, 0];
  const second = [...Array<number>(10).fill(0), 0, 0];
  const { gain, pValue, better, worse } = comparePaired(first, second, 1);
  expect([gain, better, worse]).toEqual([10 / 12, 10, 0]);
  expect(pValue).toBeCloseTo(2 / 2 ** 10, 12);
});

test('graded answers are compared by flipped signs', () => {
  const first = [0.9, 0.8, 0.95, 0.7, 0.85, 0.9, 0.75, 0.8, 0.9, 0.7];
  const { pValue, better, gainInterval } = comparePaired(first, first.map((value) => value - 0.3), 1); // prettier-ignore
  expect(better).toBe(10);
  // Only all signs alike give as much: 2 of 1,024.
  expect(pValue).toBeGreaterThan(0.0005);
  expect(pValue).toBeLessThan(0.006);
  expect(gainInterval.low).toBeCloseTo(0.3, 10);
});

test('no difference is no evidence', () => {
  expect(comparePaired([1, 0, 0.5], [1, 0, 0.5], 1)).toMatchObject({
    gain: 0,
    pValue: 1,
    better: 0,
    worse: 0,
  });
});
