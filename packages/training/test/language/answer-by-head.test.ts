import { expect, test } from 'vitest';
import { answerByHead, findKnownAnswers } from '../../src/language/answer-by-head.ts';

test('answers that come again and again are a choice, others are not', () => {
  expect(findKnownAnswers(['spam', 'ham', 'spam', 'spam', 'ham', 'ham'])).toEqual(['ham', 'spam']);
  expect(findKnownAnswers(['one', 'two', 'three', 'one', 'two', 'three'])).toBeUndefined();
  expect(findKnownAnswers(['yes', 'yes', 'yes'])).toBeUndefined();
});

test('the head is fitted on the layer that tells the answers apart', () => {
  const labels = Array.from({ length: 40 }, (_, row) => row % 2);
  const asked = [0, 1, 1, 0];
  const all = [...labels, ...asked];
  const mute = Float32Array.from(all.flatMap((_, row) => [Math.sin(row * 12.9), Math.cos(row * 7.7)]));
  const telling = Float32Array.from(all.flatMap((label, row) => [label - 0.5, Math.sin(row * 3.3)]));
  const { chosen, layer } = answerByHead({ width: 2, byLayer: new Map([[3, telling], [6, mute]]) }, labels, 2); // prettier-ignore
  expect([layer, chosen]).toEqual([3, asked]);
});
