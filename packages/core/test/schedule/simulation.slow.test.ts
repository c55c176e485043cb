import { expect, test } from 'vitest';
import { findBadLives, findLossyLives } from './life.ts';

test.for(Array.from({ length: 10 }, (_, index) => 1000 + index * 1000))(
  'no time is run twice and no two runs clash, in 1000 random lives from seed %i',
  (seed) => {
    expect(findBadLives(seed, 1000)).toEqual([]);
  },
);

test('with catchup: all no time is lost, in 2000 random lives', () => {
  expect(findLossyLives(1000, 2000)).toEqual([]);
});
