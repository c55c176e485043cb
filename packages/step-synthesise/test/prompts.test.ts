import { expect, test } from 'vitest';
import { makeRandom } from '@joyul/data';
import { askAgain, askToWrite, assign, pairsOf, parsePair } from '../src/prompts.ts';

const examples = [
  { question: 'What is the lamp made of?', answer: 'Brass' },
  { question: 'Where is the chair made?', answer: 'Porto' },
];
const texts = ['The chair is made in Porto.', 'The lamp is made of brass.', 'The desk is made of oak.'];

test('an example is shown with the text that it is about, and the last text is to be asked about', () => {
  const [first] = assign({ examples, texts, shots: 2, count: 1 }, makeRandom(3));
  const messages = first === undefined ? [] : askToWrite(first);
  expect(messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant', 'user']);
  const shown = messages.slice(0, 4).map(({ content }) => content);
  expect(shown).toContain('The lamp is made of brass.\n\nWrite a question about this text, and its answer.');
  expect(shown[shown.indexOf('Question: What is the lamp made of?\nAnswer: Brass') - 1]).toContain(
    'The lamp',
  );
  expect(messages.at(-1)?.content).toBe(
    `${first?.text ?? ''}\n\nWrite a question about this text, and its answer.`,
  );
});

test('every text has its turn before one comes again', () => {
  const assignments = assign({ examples, texts, shots: 1, count: 6 }, makeRandom(1));
  const given = assignments.map(({ text }) => text ?? '');
  expect(given.slice(0, 3).sort()).toEqual(texts.toSorted());
  expect(given.slice(3).sort()).toEqual(texts.toSorted());
});

test('without texts the model sees examples alone', () => {
  const [first] = assign({ examples, texts: [], shots: 1, count: 1 }, makeRandom(1));
  if (first === undefined) throw new Error('There is no assignment.');
  expect(askToWrite(first)[0]).toEqual({ role: 'user', content: 'Write a question, and its answer.' });
  expect(askAgain({ question: 'Why?', answer: 'So.' }, first).at(-1)).toEqual({
    role: 'user',
    content: 'Why?',
  });
});

test('what is written is read in the form of the examples only', () => {
  expect(parsePair(' Question: Why?\nAnswer: So it is.\nAnd more. ')).toEqual({
    question: 'Why?',
    answer: 'So it is.\nAnd more.',
  });
  expect(parsePair('Why? So it is.')).toBeUndefined();
});

test('examples are conversations of one question and one answer, with instructions or without', () => {
  const turn = (role: 'system' | 'user' | 'assistant', content: string) => ({ role, content });
  const rowOf = (...messages: readonly ReturnType<typeof turn>[]) => ({ id: 'x', text: '', messages });
  expect(
    pairsOf([
      rowOf(turn('system', 'Be brief.'), turn('user', 'a'), turn('assistant', 'b')),
      rowOf(turn('user', 'a'), turn('assistant', 'b'), turn('user', 'c'), turn('assistant', 'd')),
      { id: 'y', text: 'A text.' },
    ]),
  ).toEqual([{ question: 'a', answer: 'b' }]);
});
