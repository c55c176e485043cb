import { expect, test } from 'vitest';
import { countLabels, findLabelTwins, findUnlearnableLabels } from '../src/index.ts';
import type { RawRow } from '../src/index.ts';

const rows = (...labels: (string | undefined)[]): RawRow[] =>
  labels.map((label, index) => ({
    text: 't',
    place: { file: 'a.csv', line: index + 2 },
    ...(label === undefined ? {} : { label }),
  }));

test('labels are counted in code-unit order with their first row', () => {
  expect(countLabels(rows('b', 'B', undefined, 'b'))).toEqual([
    { label: 'B', rows: 1, first: { file: 'a.csv', line: 3 } },
    { label: 'b', rows: 2, first: { file: 'a.csv', line: 2 } },
  ]);
});

test('labels that differ in how they are written are twins', () => {
  const twins = findLabelTwins(rows('Cat', 'top_up', 'cat', 'Top up', 'dog'));
  expect(twins.map(({ labels }) => labels.map((item) => item.label))).toEqual([
    ['Cat', 'cat'],
    ['Top up', 'top_up'],
  ]);
});

test('a label that only a judged split has cannot be learned', () => {
  const all = rows('a', 'b', 'c', 'c');
  const gaps = findUnlearnableLabels(all, ['train', 'test', 'validation', 'validation']);
  expect(gaps.map((gap) => [gap.label, gap.inSplit, gap.rows.length])).toEqual([
    ['b', 'test', 1],
    ['c', 'validation', 2],
  ]);
});
