import type { Span } from '@joyul/plugin-api';
import { expect, test } from 'vitest';
import { formatPassage } from '../../src/terminal/format-passage.ts';
import { makeStyle } from '../../src/terminal/style.ts';

const row: readonly Span[] = [
  { text: '<|user|>', isFaint: true },
  { text: 'n7\n' },
  { text: 'odd', isMarked: true },
  { text: '<|end|>', isMarked: true, isFaint: true },
  { text: '\n' },
];

test('in colour what is marked is green and what is faint is dim', () => {
  expect(formatPassage(row, makeStyle(true), 80)).toEqual([
    '\x1b[2m<|user|>\x1b[22mn7⏎\x1b[32modd\x1b[39m\x1b[2m\x1b[32m<|end|>\x1b[39m\x1b[22m⏎',
  ]);
});

test('without colours one pair of marks stands around what is marked', () => {
  expect(formatPassage(row, makeStyle(false), 80)).toEqual(['<|user|>n7⏎⟦odd<|end|>⟧⏎']);
});

test.each([
  ['between words', 'one two three', 8, ['one two', 'three']],
  ['inside a word that is too long', 'abcdefgh', 3, ['abc', 'def', 'gh']],
  ['with two columns for Hangul', '가나다', 4, ['가나', '다']],
])('lines are broken %s', (_, text, width, lines) => {
  expect(formatPassage([{ text }], makeStyle(false), width)).toEqual(lines);
});

test('a marked part that goes on in the next line is coloured in both', () => {
  expect(formatPassage([{ text: 'one two', isMarked: true }], makeStyle(true), 4)).toEqual([
    '\x1b[32mone\x1b[39m',
    '\x1b[32mtwo\x1b[39m',
  ]);
});
