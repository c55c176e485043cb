import { expect, test } from 'vitest';
import { SimilarExamples } from '../src/similar-examples.ts';

test('the examples that share rare words come nearest to the question, at the end', () => {
  const examples = new SimilarExamples([
    'where is my parcel',
    'where is my invoice',
    'please send the invoice again',
    'how do I change my password',
  ]);
  expect(examples.find('I lost the invoice', 1)).toEqual([2]);
  expect(examples.find('Where is my parcel?', 2)).toEqual([1, 0]);
  expect(examples.find('', 1)).toEqual([0]);
});
