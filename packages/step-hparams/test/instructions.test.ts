import { expect, test } from 'vitest';
import { formInstructions } from '../src/instructions.ts';

const of = (answers: readonly string[]) => formInstructions(answers.map((expected) => ({ expected })));

test('few answers that come again are listed', () => {
  expect(of(['spam', 'ham', 'spam', 'ham ', 'ham'])).toEqual([
    'Answer with one of these and nothing else: ham, spam.',
    'You sort what the user writes. The possible answers are: ham, spam. Reply with the one that fits best, without an explanation.',
  ]);
});

test('short answers that differ are asked to be short', () => {
  expect(of(['Paris', 'Rome', '42', 'in May'])).toEqual([
    'Answer in as few words as possible, without an explanation.',
  ]);
});

test('long answers are asked to be about as long', () => {
  const long = Array.from({ length: 48 }, () => 'word').join(' ');
  expect(of([long, long, 'a somewhat shorter answer of eight words here'])).toEqual([
    'Answer helpfully and to the point.',
    'Answer in about 50 words, without an introduction.',
  ]);
});

test('nothing is formed of nothing', () => {
  expect(of([])).toEqual([]);
});
