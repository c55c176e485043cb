import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { diffWords, formatWordDiff } from '../../src/util/word-diff.ts';

const show = (before: string, after: string): string => formatWordDiff(diffWords(before, after));

test('only the words that differ are marked', () => {
  expect(show('python train.py --lr 0.1 --epochs 3', 'python train.py --lr 0.01 --epochs 3')).toBe(
    'python train.py --lr [-0.1-]{+0.01+} --epochs 3',
  );
});

test('what stands between two changes is told with them when it is blank', () => {
  expect(show('a one two z', 'a three four z')).toBe('a [-one two-]{+three four+} z');
});

test('of what stays the same only a little is shown', () => {
  const long = 'word '.repeat(40);
  expect(show(`${long}old ${long}`, `${long}new ${long}`)).toBe(
    '…ord word word word word [-old-]{+new+} word word word word wor…',
  );
});

test('line ends are shown as signs, so that a change is one line', () => {
  expect(show('one\ntwo', 'one\ntwo\nthree')).toBe('one⏎two{+⏎three+}');
});

test('the parts of both texts spell them out', () => {
  const words = fc
    .array(fc.constantFrom('a', 'b', ' ', '\n', '0.1', '가', '💡'))
    .map((parts) => parts.join(''));
  fc.assert(
    fc.property(words, words, (before, after) => {
      const edits = diffWords(before, after);
      const without = (kind: string): string =>
        edits
          .filter((edit) => edit.kind !== kind)
          .map((edit) => edit.text)
          .join('');
      expect([without('added'), without('removed')]).toEqual([before, after]);
    }),
  );
});

test('two long texts that have nothing in common are told in time', () => {
  const [before, after] = [0, 1].map((seed) =>
    Array.from({ length: 5000 }, (_, at) => `w${2 * at + seed}`).join(' '),
  );
  expect(diffWords(before ?? '', after ?? '').map((edit) => edit.kind)).toEqual(['removed', 'added']);
});
