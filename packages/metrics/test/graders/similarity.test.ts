import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { similarities } from '../../src/graders/similarity.ts';

/** Made by make_similarities.py. */
const rows = JSON.parse(readFileSync(join(import.meta.dirname, 'similarities.json'), 'utf8')) as readonly {
  readonly answer: string;
  readonly reference: string;
  readonly scores: Readonly<Record<keyof typeof similarities, number>>;
}[]; // Written by the script beside it.

describe.each(rows)('"$answer" beside "$reference" has the scores of the Python libraries', (row) => {
  test.each(Object.entries(similarities))('%s', (name, measure) => {
    expect(row.scores).toHaveProperty(name);
    expect({ [name]: measure(row.answer, row.reference) }).toEqual({
      [name]: expect.closeTo(row.scores[name as keyof typeof similarities], 9), // One of its keys.
    });
  });
});

test('words are those of any script', () => {
  expect(similarities.rouge_1('환불은 5일 걸립니다', '환불은 3일 걸립니다')).toBeCloseTo(2 / 3, 10);
});
