import { expect, test } from 'vitest';
import { checkQuality } from '../../src/index.ts';
import type { RawRow } from '../../src/index.ts';

const row = (text: string, label: string, line: number): RawRow => ({
  text,
  label,
  place: { file: 'a.csv', line },
});
const plain = (count: number, label: string, from = 2): RawRow[] =>
  Array.from({ length: count }, (_, index) => row(`an ordinary text ${index}`, label, from + index));

test('even data has no findings', async () => {
  expect(await checkQuality([...plain(20, 'a'), ...plain(20, 'b', 22)])).toEqual([]);
});

test('small and very large classes are told with a row', async () => {
  expect(
    (await checkQuality([...plain(80, 'a'), ...plain(3, 'b', 90)])).map((finding) => finding.message),
  ).toEqual([
    '1 class with fewer than 8 rows: b (3).',
    'a has 80 rows and b has 3. Look at each class’s score, or set class_weights.'.replace('’', "'"),
  ]);
});

test('wrongly decoded texts, other scripts and texts without letters are told with their place', async () => {
  const odd = [row('cafÃ© is open', 'a', 50), row('это другой язык', 'a', 51), row('12:30 -- !!', 'a', 52)];
  expect(await checkQuality([...plain(30, 'a'), ...odd])).toEqual([
    {
      code: 'GARBLED',
      severity: 'warning',
      message: '1 text looks wrongly decoded. Save the source as UTF-8.',
      total: 1,
      places: [{ file: 'a.csv', line: 50, field: 'text', note: 'cafÃ© is open' }],
    },
    {
      code: 'NO_LETTERS',
      severity: 'warning',
      message: '1 text without a letter.',
      total: 1,
      places: [{ file: 'a.csv', line: 52, field: 'text', note: '12:30 -- !!' }],
    },
    {
      code: 'OTHER_SCRIPT',
      severity: 'warning',
      message: '1 text not in Latin letters, as the others are.',
      total: 1,
      places: [{ file: 'a.csv', line: 51, field: 'text', note: 'Cyrillic: это другой язык' }],
    },
  ]);
});

test('a text far longer than the rest is told', async () => {
  const [finding] = await checkQuality([...plain(30, 'a'), row('long '.repeat(100), 'a', 60)]);
  expect(finding).toMatchObject({
    code: 'LONG_TEXT',
    message: '1 text of more than 69 characters; the median is 19.',
    places: [{ line: 60, note: '500 characters' }],
  });
});
