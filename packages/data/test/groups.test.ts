import { expect, test } from 'vitest';
import { findLeaks, groupRows } from '../src/index.ts';
import type { RawRow } from '../src/index.ts';

const row = (text: string, group?: string): RawRow => ({
  text,
  place: { file: 'a', line: 1 },
  ...(group === undefined ? {} : { group }),
});

test('equal texts, near texts and named groups are joined, also through one another', async () => {
  const long = Array.from({ length: 50 }, (_, index) => `w${index}`).join(' ');
  const rows = [
    row(long, 'ann'),
    row('Hi!'),
    row(`${long} more`),
    row('hi'),
    row('else', 'ann'),
    row('alone'),
  ];
  expect(await groupRows(rows)).toEqual({
    groupOf: [0, 1, 0, 1, 0, 5],
    nearDuplicates: 2,
    named: 1,
  });
});

test('a row leaks when its group reaches into a split that judges', () => {
  const groupOf = [0, 0, 2, 2, 4, 4, 6];
  const splits = ['train', 'test', 'validation', 'train', 'test', 'validation', 'train'];
  expect(findLeaks(groupOf, splits)).toEqual([
    { row: 0, judged: 1 },
    { row: 3, judged: 2 },
    { row: 5, judged: 4 },
  ]);
});

test('two rows of one group in the same split do not leak', () => {
  expect(findLeaks([0, 0], ['test', 'test'])).toEqual([]);
});
