import { expect, test } from 'vitest';
import { cleanRows, cleanText, duplicateKey, idOf } from '../src/index.ts';
import type { RawRow } from '../src/index.ts';

let line = 0;
const row = (text: string, label?: string, more: Partial<RawRow> = {}): RawRow => ({
  text,
  ...(label === undefined ? {} : { label }),
  place: { file: 'a.csv', line: ++line },
  ...more,
});

test('texts become NFC without control characters and with even blanks', () => {
  expect(cleanText('\uFEFF e\u0301\u200B\u0007 \u00a0 x \r\n\r\n\r\n\r\n y\t ')).toBe('é x\n\ny');
});

test('case, punctuation and blanks do not tell texts apart', () => {
  expect(duplicateKey('Hello,  World!')).toBe(duplicateKey('hello world'));
  expect(duplicateKey('¿Qué?')).toBe('qué');
});

test('an id depends on text and label only, and does not run them together', () => {
  expect(idOf('text', 'label')).toBe('7f9bfcc136606170');
  expect(idOf('b', 'a')).not.toBe(idOf('', 'ab'));
});

test('empty, short and repeated rows are dropped with their reason', () => {
  const rows = [
    row(' \u200B'),
    row('ab'),
    row('Same text', 'x'),
    row('same text!', 'x'),
    row('other one', 'x'),
  ];
  const { rows: kept, dropped } = cleanRows(rows, { deduplicate: true, minCharacters: 3 });
  expect(kept.map((item) => item.text)).toEqual(['Same text', 'other one']);
  expect(dropped.map((item) => [item.reason, item.first?.text])).toEqual([
    ['empty', undefined],
    ['too short', undefined],
    ['duplicate', 'Same text'],
  ]);
});

test('texts of signs only repeat one another only when they are equal', () => {
  const { rows } = cleanRows([row('!!!', 'x'), row('???', 'x'), row('!!!', 'x')], { deduplicate: true });
  expect(rows.map((item) => item.text)).toEqual(['!!!', '???']);
});

test('of two equal rows the one that judges stays', () => {
  const rows = [row('one', 'x', { split: 'train' }), row('One', 'x', { split: 'test' })];
  const { rows: kept } = cleanRows(rows, { deduplicate: true });
  expect(kept.map((item) => item.split)).toEqual(['test']);
});

test('equal texts with two labels are a conflict and both are kept', () => {
  const result = cleanRows([row('one', 'x'), row('One!', 'y'), row('one', 'x')], { deduplicate: true });
  expect(result.rows.map((item) => item.label)).toEqual(['x', 'y']);
  expect(result.conflicts.map(({ first, second }) => [first.label, second.label])).toEqual([['x', 'y']]);
});

test('a long text is cut, never inside a character', () => {
  const { rows } = cleanRows([row('ab👍cd')], { deduplicate: false, maxCharacters: 3 });
  expect(rows[0]?.text).toBe('ab');
});

test('entities are decoded when asked', () => {
  const options = { deduplicate: false, htmlEntities: true };
  expect(cleanRows([row('a &amp; b&nbsp;c')], options).rows[0]?.text).toBe('a & b c');
  expect(cleanRows([row('a &amp; b')], { deduplicate: false }).rows[0]?.text).toBe('a &amp; b');
});
