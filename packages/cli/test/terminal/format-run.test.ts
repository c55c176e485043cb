import { expect, test } from 'vitest';
import { formatTable } from '../../src/terminal/format-run.ts';
import { makeStyle } from '../../src/terminal/style.ts';

const style = makeStyle(false);
const long = 'abcdefghijklmnopqrstuvwxyz'.repeat(3);

test('a table that fits is as wide as its cells', () => {
  expect(formatTable(['way', 'score'], [['a prompt', 0.5]], style, 40)).toEqual([
    'way       score',
    'a prompt    0.5',
  ]);
});

test('columns that are too wide together are cut to one width, and the others stay', () => {
  const lines = formatTable(
    ['asked', 'n', 'expected', 'answered'],
    [
      [`1${long}`, 7, `2${long}`, `3${long}`],
      ['short', 8, `4${long}`, 'none'],
    ],
    style,
    60,
  );
  expect(lines.map((line) => line.length)).toEqual([51, 60, 47]);
  expect(lines[1]).toMatch(/^1abcdefghijklmnop\S {2}7 {2}2abcdefghijklmnop\S {2}3abcdefghijklmno\S$/);
});
