import { expect, test } from 'vitest';
import { scoreAnswer } from '../src/index.ts';

// By the SQuAD script, and by rouge-score's rougeL without stemming.
test.each<[name: string, answer: string, expected: string, scores: readonly [number, number, number]]>([
  ['equal but for case, articles and punctuation', 'The Refund.', 'refund', [1, 1, 2 / 3]],
  ['half of the words', 'cancel order', 'cancel my new order', [0, 2 / 3, 2 / 3]],
  ['the same words in another order', 'order cancel', 'cancel order', [0, 1, 0.5]],
  ['nothing in common', 'yes', 'no', [0, 0, 0]],
  ['no answer', '', 'no', [0, 0, 0]],
  ['repeated words count once for each', 'a no no', 'no', [0, 2 / 3, 0.5]],
])('%s', (_, answer, expected, [exactMatch, f1, rougeL]) => {
  const scores = scoreAnswer(answer, expected);
  expect(scores.exactMatch).toBe(exactMatch);
  expect(scores.f1).toBeCloseTo(f1, 10);
  expect(scores.rougeL).toBeCloseTo(rougeL, 10);
});
