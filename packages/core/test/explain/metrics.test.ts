import { expect, test } from 'vitest';
import { compareMetrics } from '../../src/explain/metrics.ts';

test('a metric tells its difference, its share and its direction; what moved comes first', () => {
  const before = new Map([
    ['same', 1],
    ['loss', 0.5],
    ['gone', 3],
  ]);
  const after = new Map([
    ['same', 1],
    ['loss', 0.25],
    ['zero', 0],
  ]);
  expect(compareMetrics(before, after)).toEqual([
    { name: 'loss', before: 0.5, after: 0.25, difference: -0.25, relative: -0.5, direction: 'down' },
    { name: 'gone', before: 3 },
    { name: 'zero', after: 0 },
    { name: 'same', before: 1, after: 1, difference: 0, relative: 0, direction: 'none' },
  ]);
});

test('there is no share of nothing', () => {
  const [change] = compareMetrics(new Map([['errors', 0]]), new Map([['errors', 2]]));
  expect(change).toEqual({ name: 'errors', before: 0, after: 2, difference: 2, direction: 'up' });
});
