import { expect, test } from 'vitest';
import plugin from '../src/index.ts';
import { withDefaults } from './rig.ts';

test('local files are part of the fingerprint, downloads and inputs are not', () => {
  const params = withDefaults({
    source: ['data/a.csv', 'file:b', 'npm:x', 'files:c', 'https://x.org/d'],
    unlabelled: 'texts',
    tokenizer: ['hf:o/m', './model'],
  });
  expect(plugin.workspace?.(params).reads).toEqual(['data/a.csv', 'b', 'texts', './model']);
});

test('shares that leave nothing for training are refused', () => {
  expect(plugin.check?.(withDefaults({ split: { validation: 0.5, test: 0.5 } }))).toEqual([
    {
      path: ['split'],
      code: 'SPLIT_TOO_LARGE',
      message: '"validation" and "test" take 100 % of the rows, which leaves none for training.',
      help: 'Write shares whose sum is well below 1, such as 0.1 and 0.1.',
    },
  ]);
  expect(plugin.check?.(withDefaults({}))).toEqual([]);
});
