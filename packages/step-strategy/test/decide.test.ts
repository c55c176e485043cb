import { expect, test } from 'vitest';
import { decide } from '../src/decide.ts';

/** A task on which words alone do better than frozen features. */
const far = {
  rows: 4000,
  classes: 4,
  depthProfile: [0.5, 0.6, 0.7],
  bagOfWords: 0.8,
  cores: 2,
  weights: 20e6,
};

test('a task far from the pretraining, with many rows and a small model, moves every layer', () => {
  expect(decide(far).method).toBe('full');
});

test('the same task with a model that is long to train gets adapters', () => {
  const decision = decide({ ...far, weights: 400e6 });
  expect(decision).toMatchObject({ method: 'lora', top: 0, confidence: 'low' });
  expect(decision.reason).toBe(
    'the task is far from the pretraining (probe 70.0 %, words alone 80.0 %), so every layer has to change, but 400 M weights are long to train on 2 cores: adapters reach every layer with few weights',
  );
});

test('a large model on a near task keeps its lower layers', () => {
  expect(decide({ ...far, weights: 400e6, bagOfWords: 0.6 }).method).toBe('repurpose');
});
