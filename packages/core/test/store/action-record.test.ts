import { expect, test } from 'vitest';
import { formatAction, parseAction } from '../../src/store/action-record.ts';
import type { ActionRecord } from '../../src/store/action-record.ts';

const fingerprint = 'f'.repeat(64);
const action: ActionRecord = {
  version: 1,
  record: { plugin: 'command', params: { name: '조율' } },
  outputs: { text: { type: 'file', digest: 'a', files: [] } },
  kept: [{ type: 'finding', text: 'It went well.' }],
  durationMs: 12.5,
};

test('a record comes back as it was written', () => {
  expect(parseAction(fingerprint, formatAction(fingerprint, action))).toEqual(action);
});

test('a record with any one bit flipped is none', () => {
  const bytes = Buffer.from(formatAction(fingerprint, action));
  const accepted: number[] = [];
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Buffer.from(bytes);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    if (parseAction(fingerprint, flipped.toString()) !== undefined) accepted.push(bit);
  }
  expect(accepted).toEqual([]);
});

test('a record that was cut short at any place is none', () => {
  const text = formatAction(fingerprint, action);
  for (let length = 0; length < text.length; length++)
    expect(parseAction(fingerprint, text.slice(0, length))).toBeUndefined();
});

test("a record under another's name is none", () => {
  expect(parseAction('e'.repeat(64), formatAction(fingerprint, action))).toBeUndefined();
});
