import { expect, test } from 'vitest';
import { findBadLives, findLossyLives } from './life.ts';

test('no time is run twice and no two runs clash, in 200 random lives with crashes and clock jumps', () => {
  expect(findBadLives(1, 200)).toEqual([]);
});

test('with catchup: all no time is lost, in 40 random lives with crashes, sleeps and power failures', () => {
  expect(findLossyLives(1, 40)).toEqual([]);
});
