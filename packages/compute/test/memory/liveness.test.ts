import { expect, test } from 'vitest';
import { findPeak } from '../../src/memory/liveness.ts';
import type { Output, Step } from '../../src/memory/steps.ts';

const make = (name: string, bytes: number, extra: Partial<Output> = {}): Output => ({
  name,
  bytes,
  use: 'temporaries',
  ...extra,
});
const step = (inputs: readonly string[], ...outputs: readonly Output[]): Step => ({ inputs, outputs });
const peakOf = (steps: readonly Step[], kept: readonly string[] = []): number =>
  findPeak({ steps, kept }).temporaries;

test('a tensor is freed after its last reader', () => {
  const chain = [
    step([], make('a', 10)),
    step(['a'], make('b', 10)),
    step(['b'], make('c', 10)),
    step(['c'], make('d', 1)),
  ];
  expect(peakOf(chain, ['d'])).toBe(20);
});

test('an output of the entry is kept to the end', () => {
  const chain = [step([], make('a', 10)), step(['a'], make('b', 10)), step(['b'], make('c', 10))];
  expect(peakOf(chain, ['a', 'c'])).toBe(30);
});

test('an operation that can write over its input does so only when nobody else reads it', () => {
  const over = make('b', 10, { isInPlace: true });
  expect(peakOf([step([], make('a', 10)), step(['a'], over)], ['b'])).toBe(10);
  expect(peakOf([step([], make('a', 10)), step(['a'], over), step(['a'], make('c', 1))], ['b'])).toBe(21);
});

test('a view keeps the whole tensor that it is a part of', () => {
  const view = make('b', 2, { sharesWith: 'a' });
  expect(peakOf([step([], make('a', 10)), step(['a'], view), step(['b'], make('c', 5))], ['c'])).toBe(15);
});

test('steps that wait for nothing else run side by side, in the order in which they became ready', () => {
  const two = [
    step([], make('x', 1)),
    step(['x'], make('a', 10)),
    step(['x'], make('b', 10)),
    step(['a'], make('c', 1)),
    step(['b'], make('d', 1)),
  ];
  expect(peakOf(two, ['c', 'd'])).toBe(21);
});

test('the peak tells what each byte is for', () => {
  const steps = [
    step([], make('a', 10, { use: 'activations' })),
    step(['a'], make('g', 4, { use: 'gradients' })),
  ];
  expect(findPeak({ steps, kept: ['g'] })).toEqual({
    weights: 0,
    optimizer: 0,
    gradients: 4,
    activations: 10,
    temporaries: 0,
  });
});
