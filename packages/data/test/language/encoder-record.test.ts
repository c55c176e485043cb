import { expect, test } from 'vitest';
import { compareEncoders, makeLanguageEncoder, recordEncoder } from '../../src/index.ts';
import type { EncoderRecord, Tokenizer } from '../../src/index.ts';

const tokenizer = {
  digest: 'aaaa',
  endId: 0,
  firstIds: [1],
  encodePlain: (text: string) => [...Buffer.from(text)],
};

/** The record of a model that has a token for each byte. */
function makeRecord(changes: Partial<Tokenizer> = {}, mark = ':'): EncoderRecord {
  const render = (messages: readonly { readonly content: string }[]): string =>
    messages.map(({ content }) => `${mark}${content}`).join('');
  // What the encoder uses of a tokenizer.
  return recordEncoder(
    makeLanguageEncoder({ ...tokenizer, ...changes } as Tokenizer, { source: mark, render }),
  );
}

test('the same tokenizer and template have the same record', () => {
  expect(compareEncoders(makeRecord(), makeRecord())).toEqual([]);
  expect(makeRecord().digest).toBe(makeRecord().digest);
});

test('every difference is told at once, with the first token that differs', () => {
  const other = makeRecord({ digest: 'bbbb', firstIds: [2] }, ';');
  expect(compareEncoders(makeRecord(), other)).toEqual([
    'The tokenizer is another: trained with aaaa, but here is bbbb (sha256).',
    expect.stringMatching(
      /^The chat template is another: trained with \w{12}, but here is \w{12} \(sha256\)\.$/,
    ),
    'A fixed text and conversation give other tokens: number 1 was 1, and is 2.',
  ]);
});

test('a change of code alone shows in the tokens', () => {
  const changed = makeRecord({ encodePlain: (text) => [...Buffer.from(text.normalize('NFD'))] });
  expect(compareEncoders(makeRecord(), changed)).toEqual([
    expect.stringMatching(
      /^A fixed text and conversation give other tokens: number \d+ was \d+, and is \d+\.$/,
    ),
  ]);
  expect(compareEncoders({ ...makeRecord(), code: 0 }, makeRecord())).toEqual([
    'It was trained by version 0 of the encoder; this is version 1.',
  ]);
});
