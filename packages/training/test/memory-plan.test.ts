import type { MemoryPrediction } from '@joyul/compute';
import { expect, test } from 'vitest';
import { TrainingError, requireMemory } from '../src/index.ts';

const predict = (megabytes: number): MemoryPrediction => ({
  parts: {
    process: 100e6,
    library: 0,
    weights: 90e6,
    optimizer: 180e6,
    gradients: 0,
    activations: (megabytes - 370) * 1e6,
    temporaries: 0,
    gaps: 0,
    copies: 0,
  },
  totalBytes: megabytes * 1e6,
});

function refusalOf(
  limitMb: number,
  alternatives: Readonly<Record<string, number>>,
): TrainingError | undefined {
  try {
    requireMemory(
      predict(1500),
      limitMb * 1e6,
      Object.entries(alternatives).map(([change, megabytes]) => ({
        change,
        predict: () => predict(megabytes),
      })),
    );
    return undefined;
  } catch (error) {
    if (error instanceof TrainingError) return error;
    throw error;
  }
}

test('training that fits is not refused', () => {
  expect(refusalOf(1500, {})).toBeUndefined();
});

test('training that would not fit is refused with its parts and the first change that is enough', () => {
  const refusal = refusalOf(1000, { '`a: 1`': 1200, '`b: 2`': 900, '`c: 3`': 500 });
  expect(refusal?.code).toBe('OUT_OF_MEMORY');
  expect(refusal?.message).toBe(
    "Training would take about 1,500 MB: 1,130 MB for states kept for the backward pass, 180 MB for the optimizer's moments, 100 MB for the process so far, 90 MB for weights. This process can have 1,000 MB.",
  );
  expect(refusal?.help).toBe('Set `b: 2`, which takes about 900 MB. Not enough: `a: 1` (1,200 MB).');
});

test('where no change is enough it says so, with what each would take', () => {
  expect(refusalOf(400, { '`a: 1`': 1200, '`b: 2`': 900 })?.help).toBe(
    'Nothing that training could change is enough: `a: 1` (1,200 MB); `b: 2` (900 MB). Take a smaller model, or a machine with more memory.',
  );
});
