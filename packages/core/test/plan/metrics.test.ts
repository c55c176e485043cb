import { expect, test } from 'vitest';
import { flattenMetrics } from '../../src/plan/metrics.ts';

test('nested numbers have dots, nothing but numbers counts, and a later file wins', () => {
  const content = {
    version: 2,
    accuracy: 0.5,
    per_class: { card: { f1: 1, version: 3 } },
    labels: ['a'],
    name: 'x',
    none: null,
  };
  expect(flattenMetrics([content, { loss: 0.1, accuracy: 0.6 }, 'no object', undefined])).toEqual({
    accuracy: 0.6,
    'per_class.card.f1': 1,
    'per_class.card.version': 3,
    loss: 0.1,
  });
});
