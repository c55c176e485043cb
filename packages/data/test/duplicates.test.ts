import { expect, test } from 'vitest';
import { dropDuplicates } from '../src/index.ts';
import type { RawRow } from '../src/index.ts';

let line = 0;
const row = (text: string, label?: string, more: Partial<RawRow> = {}): RawRow => ({
  text,
  ...(label === undefined ? {} : { label }),
  place: { file: 'a.csv', line: ++line },
  ...more,
});

test('of equal texts the first stays, and the others are told with its place', async () => {
  line = 0;
  const rows = [row('Same text', 'x'), row('same text!', 'x'), row('other one', 'x')];
  const { rows: kept, dropped } = await dropDuplicates(rows);
  expect(kept.map((item) => item.text)).toEqual(['Same text', 'other one']);
  expect(dropped.places).toEqual([{ file: 'a.csv', line: 2, field: 'text', note: 'repeats a.csv:1' }]);
});

test('texts of signs only repeat one another only when they are equal', async () => {
  const { rows } = await dropDuplicates([row('!!!'), row('???'), row('!!!')]);
  expect(rows.map((item) => item.text)).toEqual(['!!!', '???']);
});

test('of two equal rows the one that judges stays', async () => {
  const rows = [
    row('one', 'x', { split: 'train' }),
    row('One', 'x', { split: 'test' }),
    row('one', 'x', { split: 'validation' }),
  ];
  expect((await dropDuplicates(rows)).rows.map((item) => item.split)).toEqual(['test']);
});

test('equal texts with two labels are a conflict and both are kept', async () => {
  const result = await dropDuplicates([row('one', 'x'), row('One!', 'y'), row('one', 'x')]);
  expect(result.rows.map((item) => item.label)).toEqual(['x', 'y']);
  expect(result.conflicts.map(({ first, second }) => [first.label, second.label])).toEqual([['x', 'y']]);
});

test('where repeated texts are wanted only conflicts are found', async () => {
  const rows = [row('one', 'x'), row('one', 'x'), row('one', 'y')];
  const result = await dropDuplicates(rows, { isKept: true });
  expect([result.rows.length, result.conflicts.length, result.dropped.total]).toEqual([3, 1, 0]);
});

test('a cancelled search stops', async () => {
  const rows = Array.from({ length: 5000 }, (_, index) => row(`text ${index}`));
  await expect(dropDuplicates(rows, { signal: AbortSignal.abort() })).rejects.toThrow('aborted');
});
