import { expect, test } from 'vitest';
import { cleanRowText, cleanText, duplicateKey, idOf } from '../src/index.ts';

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

test('texts of which nothing or too little is left are told', () => {
  expect(cleanRowText(' \u200B', {})).toEqual({ reason: 'empty' });
  expect(cleanRowText('ab', { minCharacters: 3 })).toEqual({ reason: 'too short' });
  expect(cleanRowText(' abc ', { minCharacters: 3 })).toEqual({ text: 'abc' });
});

test('a long text is cut, never inside a character', () => {
  expect(cleanRowText('ab👍cd', { maxCharacters: 3 })).toEqual({ text: 'ab' });
});

test('entities are decoded when asked', () => {
  expect(cleanRowText('a &amp; b&nbsp;c', { htmlEntities: true })).toEqual({ text: 'a & b c' });
  expect(cleanRowText('a &amp; b', {})).toEqual({ text: 'a &amp; b' });
});
