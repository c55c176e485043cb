import { expect, test } from 'vitest';
import { formatQuality, makeFinding, summarizeLengths } from '../../src/index.ts';

test('lengths are summed up by quantiles and bars that count every row', () => {
  const summary = summarizeLengths([...Array.from({ length: 100 }, (_, index) => index + 1), 5000], 'tokens');
  expect(summary).toMatchObject({ unit: 'tokens', min: 1, median: 51, max: 5000 });
  expect(summary.histogram.reduce((sum, bar) => sum + bar.rows, 0)).toBe(101);
  expect(summary.histogram.at(-1)?.to).toBe(5000);
});

test('no lengths are no trouble', () => {
  expect(summarizeLengths([], 'characters')).toMatchObject({ min: 0, max: 0, mean: 0, histogram: [] });
});

test('a finding keeps a hundred places and the count of all', () => {
  const places = Array.from({ length: 150 }, (_, index) => ({ file: 'a', line: index + 1, field: 'text' }));
  const finding = makeFinding('X', 'info', 'Many.', places);
  expect([finding.total, finding.places.length]).toEqual([150, 100]);
});

test('the report for a person names every place', () => {
  const text = formatQuality({
    version: 1,
    sources: ['a.csv'],
    rows: { read: 12, kept: 10, dropped: { duplicate: 2, empty: 0 } },
    splits: { train: 8, validation: 1, test: 1 },
    classes: [{ label: 'x|y', rows: { train: 8, validation: 1, test: 1 } }],
    lengths: summarizeLengths([1, 2, 2], 'tokens'),
    leakage: { verdict: 'none.', nearDuplicateGroups: 0, namedGroups: 0, leakedRows: 0 },
    findings: [
      makeFinding('DUPLICATE', 'info', '2 texts.', [{ file: 'a.csv', line: 3, field: 'text', note: 'a|b' }]),
    ],
  });
  expect(text).toBe(`# Data quality

Read 12 rows of a.csv; kept 10.
Dropped: 2 duplicate.

Splits: train 8, validation 1, test 1.

Leakage: none.

## Classes

| label | train | validation | test |
| --- | ---: | ---: | ---: |
| x\\|y | 8 | 1 | 1 |

## Lengths in tokens

Shortest 1, median 2, mean 1.7, 95 % up to 2, longest 2.

\`\`\`
           1-1 ████████████████████ 1
           2-2 ████████████████████████████████████████ 2
\`\`\`

## Findings

### DUPLICATE (info)

2 texts.

- \`a.csv:3\` text: a\\|b
`);
});
