import { expect, test } from 'vitest';
import { SimilarTexts } from '../src/index.ts';

test('texts that share rare words come nearest to the end', () => {
  const examples = new SimilarTexts([
    'where is my parcel',
    'where is my invoice',
    'please send the invoice again',
    'how do I change my password',
  ]);
  expect(examples.find('I lost the invoice', 1)).toEqual([2]);
  expect(examples.find('Where is my parcel?', 2)).toEqual([1, 0]);
  expect(examples.find('', 1)).toEqual([0]);
});
