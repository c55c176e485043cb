import { expect, test } from 'vitest';
import { sampleIndices } from '../src/index.ts';
import { apportion } from '../src/sample.ts';

const strata = [...'a'.repeat(60), ...'b'.repeat(30), ...'c'.repeat(10)];
const sizes = (indices: readonly number[]): number[] =>
  ['a', 'b', 'c'].map((name) => indices.filter((index) => strata[index] === name).length);

test('a total is shared out in proportion, and the order stays', () => {
  const indices = sampleIndices(strata, { total: 20 }, 1);
  expect(sizes(indices)).toEqual([12, 6, 2]);
  expect(indices).toEqual([...indices].sort((a, b) => a - b));
});

test('a number a class is the most of each', () => {
  expect(sizes(sampleIndices(strata, { perClass: 20 }, 1))).toEqual([20, 20, 10]);
  expect(sizes(sampleIndices(strata, { perClass: 20, total: 25 }, 1))).toEqual([10, 10, 5]);
});

test('the same seed draws the same, another seed another', () => {
  expect(sampleIndices(strata, { total: 20 }, 1)).toEqual(sampleIndices(strata, { total: 20 }, 1));
  expect(sampleIndices(strata, { total: 20 }, 1)).not.toEqual(sampleIndices(strata, { total: 20 }, 2));
});

test('what is shared out adds up, and nothing gets more than it has', () => {
  expect(apportion([1, 1, 1], 2)).toEqual([1, 1, 0]);
  expect(apportion([5, 5], 100)).toEqual([5, 5]);
  expect(apportion([3, 3, 94], 10)).toEqual([0, 0, 10]);
});
