import { describe, expect, test } from 'vitest';
import { Secrets } from '../../src/execute/secrets.ts';

/** What is told of a line that a step writes. */
const tell = (value: string, text: string): string => new Secrets({ TOKEN: value }).mask(text);

describe('a value is masked in each form in which programs write it', () => {
  const value = 'pa"ss\\wörd\t/x';

  test.each([
    ['as it is', value],
    ['in JSON', JSON.stringify(value).slice(1, -1)],
    ['in JSON inside of JSON', JSON.stringify(JSON.stringify(value)).slice(3, -3)],
    ['in JSON of plain ASCII', 'pa\\"ss\\\\w\\u00f6rd\\t/x'],
    ['in an address', encodeURIComponent(value)],
  ])('%s', (_, written) => {
    expect(tell(value, `a ${written} b ${written} c`)).toBe('a *** b *** c');
  });
});

test('of several lines each is masked by itself', () => {
  const value = '-----BEGIN-----\r\nabcdef\nghijkl\n';
  expect(['-----BEGIN-----', 'abcdef', ' ghijkl'].map((line) => tell(value, line))).toEqual([
    '***',
    '***',
    ' ***',
  ]);
});

test('of two values the longer is masked first, so that nothing of it is left', () => {
  const secrets = new Secrets({ SHORT: 'abcd', LONG: 'abcdefgh' });
  expect(secrets.mask('abcdefgh abcd')).toBe('*** ***');
});

test('a value of fewer than four characters stands in too many texts to be masked', () => {
  expect([tell('abc', 'abc'), tell('', 'text'), tell('    ', 'a    b')]).toEqual(['abc', 'text', 'a    b']);
});

test('half of a pair of code units does no harm', () => {
  expect(tell('ab\uD800cd', 'x ab\uD800cd')).toBe('x ***');
});

test("the engine's own words, numbers and names of steps stay, whatever a secret is", () => {
  const event = {
    kind: 'step-event',
    stepId: 'test',
    attempt: 1234,
    event: {
      type: 'table',
      title: 'a test',
      columns: ['test'],
      rows: [['test', { type: 'test', stepId: 1234 }]],
    },
    fingerprint: '12340000',
  } as const;
  const told = new Secrets({ A: 'test', B: '1234', C: 'step-event', D: 'null' }).mask(event);
  expect(told).toEqual({
    ...event,
    event: {
      type: 'table',
      title: 'a ***',
      columns: ['***'],
      rows: [['***', { type: '***', stepId: 1234 }]],
    },
  });
});
