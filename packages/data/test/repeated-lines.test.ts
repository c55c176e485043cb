import { expect, test } from 'vitest';
import { removeRepeatedLines } from '../src/index.ts';

const texts = Array.from(
  { length: 40 },
  (_, index) =>
    `Word number ${String.fromCharCode(97 + (index % 26))}${index < 20 ? 'x' : 'y'}\n-- \nTo unsubscribe, go to page ${index}`,
);

test('a line that many texts have goes, whatever numbers are in it', () => {
  const { texts: cleaned, removed, changed } = removeRepeatedLines(texts, 15);
  expect(cleaned[3]).toBe('Word number dx\n-- ');
  expect(removed).toEqual([{ line: 'To unsubscribe, go to page 0', texts: 40 }]);
  expect(changed).toBe(40);
});

test('short lines stay, and so do lines that few texts have', () => {
  expect(removeRepeatedLines(texts, 41)).toEqual({ texts, removed: [], changed: 0 });
});

test('a line counts once a text', () => {
  const repeated = ['the same line of words\n'.repeat(30)];
  expect(removeRepeatedLines(repeated, 15).changed).toBe(0);
});
