import { expect, test } from 'vitest';
import { readTokens } from '../../src/readers/tokens.ts';

const read = (row: object): ReturnType<typeof readTokens> => readTokens(new Map(Object.entries(row)));

test('tokens come with labels and without padding, also as JSON in a column of CSV', () => {
  expect(read({ input_ids: [3, 4] })).toEqual({ tokens: { ids: [3, 4] } });
  expect(read({ input_ids: '[3, 4]', labels: '[-100, 4]' })).toEqual({
    tokens: { ids: [3, 4], labels: [-100, 4] },
  });
  expect(read({ input_ids: [0, 0, 3, 4], attention_mask: [0, 0, 1, 1], labels: [-100, -100, 3, 4] })).toEqual(
    { tokens: { ids: [3, 4], labels: [3, 4] } },
  );
});

test.each([
  [{ input_ids: 'abc' }, '/input_ids', 'expected a list of a token id of at least 0, but is "abc".'],
  [{ input_ids: [1, -1] }, '/input_ids/1', 'expected a token id of at least 0, but is -1.'],
  [{ input_ids: [1, 1.5] }, '/input_ids/1', 'expected a token id of at least 0, but is 1.5.'],
  [{ input_ids: [] }, '/input_ids', 'there are no tokens.'],
  [{ input_ids: [1, 2], labels: [1] }, '/labels', 'has 1 values, but input_ids has 2.'],
  [{ input_ids: [1, 2], labels: [1, -1] }, '/labels/1', 'expected a token id or -100, but is -1.'],
  [
    { input_ids: [1, 2, 3], attention_mask: [1, 0, 1] },
    '/attention_mask/1',
    'is 0 between tokens that count: only padding at the ends may be left out.',
  ],
  [{ input_ids: [1, 2], labels: [1, -100] }, '/labels', 'every label is -100: there is nothing to learn.'],
  [
    { input_ids: [1, 2, 3], labels: [2, 3, -100] },
    '/labels/0',
    'expected the token itself (1) or -100, but is 2: labels stand where their tokens are and are not shifted.',
  ],
])('%j is refused with a pointer', (row, field, message) => {
  expect(read(row).problems).toEqual([{ field, message }]);
});

test('all that is wrong with a row is told', () => {
  expect(read({ input_ids: [-1], labels: ['x'] }).problems).toHaveLength(2);
});
