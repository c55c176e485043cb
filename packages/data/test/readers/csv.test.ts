import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { CsvParser } from '../../src/readers/csv.ts';
import type { CsvTable } from '../../src/readers/csv.ts';

const parseCsv = (text: string, delimiter?: string): CsvTable => new CsvParser(delimiter).parse(text, true);

const values = (text: string, delimiter?: string): string[][] =>
  parseCsv(text, delimiter).records.map((record) => record.map((cell) => cell.value));

const quote = (cell: string): string => `"${cell.replaceAll('"', '""')}"`;

test('any table of strings comes back as it was written, whatever delimiter and line ends', () => {
  const cell = fc.string({
    unit: fc.constantFrom('a', 'é', '"', ',', ';', '\t', '\n', '\r\n', ' ', '|', ''),
  });
  const table = fc
    .tuple(fc.integer({ min: 2, max: 4 }), fc.integer({ min: 1, max: 5 }))
    .chain(([columns, rows]) =>
      fc.array(fc.array(cell, { minLength: columns, maxLength: columns }), {
        minLength: rows,
        maxLength: rows,
      }),
    );
  const run = fc.property(
    table,
    fc.constantFrom(',', ';', '\t', '|'),
    fc.constantFrom('\n', '\r\n'),
    fc.boolean(),
    (rows, delimiter, end, hasLastEnd) => {
      const text = rows.map((row) => row.map(quote).join(delimiter)).join(end) + (hasLastEnd ? end : '');
      expect(values(text, delimiter)).toEqual(rows);
    },
  );
  fc.assert(run, { numRuns: 300 });
});

test('a table that comes line by line gives the same records, with the same places', () => {
  const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r\n', ' ') });
  const table = fc.array(fc.tuple(cell, cell), { minLength: 1, maxLength: 5 });
  const run = fc.property(table, (rows) => {
    const text = `a,b\n${rows.map((row) => `${row.map(quote).join(',')}\n`).join('')}`;
    const parser = new CsvParser();
    const lines = text.split(/(?<=\n)/);
    const parts = lines.map((line, index) => parser.parse(line, index === lines.length - 1));
    expect(parts.flatMap(({ records }) => records)).toEqual(parseCsv(text).records);
    expect(parts.flatMap(({ problems }) => problems)).toEqual([]);
  });
  fc.assert(run, { numRuns: 300 });
});

test('plain cells are quoted only where they must be', () => {
  expect(values('text,label\r\nHello "you",x\r\n\r\n"a\nb","say ""hi"""\n')).toEqual([
    ['text', 'label'],
    ['Hello "you"', 'x'],
    ['a\nb', 'say "hi"'],
  ]);
});

test.each([
  ['a;b;c\n1,5;2;3', ';'],
  ['a\tb\n1,2\t3', '\t'],
  ['"a,b,c"|d\n', '|'],
  ['only', ','],
])('the delimiter of %j is found', (text, delimiter) => {
  expect(values(text)).toEqual(values(text, delimiter));
});

test('every cell knows its line and column, also after a quoted line end', () => {
  const [, record] = parseCsv('a,b\n"x\ny",z\n').records;
  expect(record).toEqual([
    { value: 'x\ny', line: 2, column: 1 },
    { value: 'z', line: 3, column: 4 },
  ]);
});

test('a quote that never ends and text after a quote are told with their place', () => {
  expect(parseCsv('a,b\n1,"open\n').problems).toEqual([
    { line: 2, column: 3, message: 'A quoted field begins here and never ends.' },
  ]);
  expect(parseCsv('a,b\n"x" y,2\n').problems).toEqual([
    {
      line: 2,
      column: 4,
      message: 'After a quoted field comes " ", not a delimiter or the end of the line.',
    },
  ]);
});
