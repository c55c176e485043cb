import { expect, test } from 'vitest';
import { simulateRun } from '../../src/explain/forecast.ts';
import { fakeStep } from '../graph/support.ts';

const tenEach = (): number => 10;
/** Four steps between a first and a last one. */
const diamond = [
  fakeStep('first'),
  ...['a', 'b', 'c', 'd'].map((id) => fakeStep(id, ['first.out'], { resources: { gpu: 1 } })),
  fakeStep('last', ['a.out', 'b.out', 'c.out', 'd.out']),
];

test('steps that may run at once take the time of the longest', () => {
  expect(simulateRun(diamond, tenEach, { jobs: 8, pools: { gpu: 8 } })).toBe(30);
});

test('jobs limit what runs at once', () => {
  expect(simulateRun(diamond, tenEach, { jobs: 1, pools: { gpu: 8 } })).toBe(60);
});

test('a pool limits what takes from it', () => {
  expect(simulateRun(diamond, tenEach, { jobs: 8, pools: { gpu: 2 } })).toBe(40);
});

test('a step outside of the selection is not waited for', () => {
  expect(simulateRun([fakeStep('late', ['gone.out'])], tenEach, { jobs: 1, pools: {} })).toBe(10);
});

test('a step that no pool can hold ends the forecast instead of waiting for ever', () => {
  const greedy = fakeStep('greedy', [], { resources: { gpu: 9 } });
  expect(simulateRun([greedy], tenEach, { jobs: 1, pools: { gpu: 1 } })).toBe(0);
});
