import { describe, expect, test } from 'vitest';
import { sealedKeyOf } from '@joyul/data';
import { RowFilter, countReasons, measureAgreement } from '../src/filter.ts';

const train = [
  { question: 'What is the oak table made of?', answer: 'Solid oak' },
  { question: 'Where does the lamp come from?', answer: 'Porto' },
];
const makeFilter = (): RowFilter =>
  new RowFilter({
    train,
    judged: ['Who designed the round mirror?'],
    sealedKeys: new Set([sealedKeyOf('How long is the guarantee?')]),
    maxRouge: 0.7,
  });
const write = (question: string, answer = 'Brass', isEnded = true) => ({
  text: `Question: ${question}\nAnswer: ${answer}`,
  isEnded,
});

describe('a written row is', () => {
  test('kept when it is new', () => {
    expect(makeFilter().take(write('Which colours has the sofa?', 'Red and blue'))).toEqual({
      question: 'Which colours has the sofa?',
      answer: 'Red and blue',
    });
  });

  test.each([
    ['that was cut off', write('Which colours has the sofa?', 'Red', false), 'came to no end'],
    ['without an answer', { text: 'Question: Why?', isEnded: true }, 'no question with an answer'],
    ['in another form', { text: 'The sofa is red.', isEnded: true }, 'no question with an answer'],
    [
      'with a second question',
      { text: 'Question: a?\nAnswer: b\nQuestion: c?\nAnswer: d', isEnded: true },
      'no question with an answer',
    ],
    ['that is too long', write('Which?', 'very '.repeat(4)), 'longer than any training row twice'],
    [
      'of the validation split',
      write('Who designed the round mirror, then?'),
      'repeats a row that is judged',
    ],
    ['of the sealed test split', write('how long is the GUARANTEE'), 'repeats a row that is judged'],
    // 6 of 7 words in order: ROUGE-L 0.86
    ['like a training row', write('What is the elm table made of?'), 'repeats a training row'],
  ])('dropped: one %s', (_, written, reason) => {
    expect(makeFilter().take(written)).toBe(reason);
  });

  test('dropped when another one asked the same before', () => {
    const filter = makeFilter();
    filter.take(write('Which colours has the sofa?'));
    expect(filter.take(write('Which colours has this sofa?'))).toBe('repeats another generated row');
  });
});

test('questions of one pattern are kept where the limit is raised', () => {
  const filter = new RowFilter({ train, judged: [], sealedKeys: new Set(), maxRouge: 0.95 });
  expect(filter.take(write('What is the elm table made of?'))).toMatchObject({ answer: 'Brass' });
  expect(filter.take(write('What is the oak table made of'))).toBe('repeats a training row');
});

test('agreement is the share of samples that say the same', () => {
  expect(measureAgreement('Solid oak', ['solid oak.', 'Oak', 'Brass', 'Solid oak'])).toBe(0.5);
  expect(measureAgreement('Solid oak', [])).toBe(1);
});

test('dropped rows are counted by reason', () => {
  expect(countReasons(['came to no end', 'samples disagree', 'came to no end'])).toEqual([
    ['came to no end', 2],
    ['samples disagree', 1],
  ]);
});
