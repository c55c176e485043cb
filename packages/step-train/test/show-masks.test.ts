import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeLanguageEncoder, openChatTemplate, openTokenizer } from '@joyul/data';
import type { LanguageEncoder } from '@joyul/data';
import { readTokenizerFiles } from '@joyul/models';
import type { Span } from '@joyul/plugin-api';
import { writeTinyLlama } from '@joyul/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { showMask } from '../src/show-masks.ts';

const dir = mkdtempSync(join(tmpdir(), 'joyul-masks-'));
let encoder: LanguageEncoder;

beforeAll(async () => {
  await writeTinyLlama(dir);
  const files = await readTokenizerFiles(dir);
  encoder = makeLanguageEncoder(await openTokenizer(files), await openChatTemplate(files));
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

const show = (question: string, answer: string): readonly Span[] => {
  const messages = [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ] as const;
  return showMask(encoder.encodeConversation(messages, 4000), encoder.tokenizer);
};

test('what the assistant says is marked with the token that ends it, and special tokens are faint', () => {
  expect(show('n7', '홀수')).toEqual([
    { text: '<|user|>', isFaint: true },
    { text: 'n7' },
    { text: '<|end|>', isFaint: true },
    { text: '\n' },
    { text: '<|assistant|>', isFaint: true },
    { text: '홀수', isMarked: true },
    { text: '<|end|>', isMarked: true, isFaint: true },
    { text: '\n' },
  ]);
});

test('long parts lose their middle and keep both borders', () => {
  const spans = show(`A${'q'.repeat(500)}B`, `C${'a'.repeat(400)}D`);
  expect(spans[1]?.text).toBe(`A${'q'.repeat(99)} … 302 characters … ${'q'.repeat(99)}B`);
  expect(spans[5]).toEqual({
    text: `C${'a'.repeat(99)} … 202 characters … ${'a'.repeat(99)}D`,
    isMarked: true,
  });
});

test('of a conversation with many turns the first and last pieces are shown', () => {
  const messages = Array.from({ length: 40 }, (_, turn) => ({
    role: turn % 2 === 0 ? ('user' as const) : ('assistant' as const),
    content: `turn ${turn}`,
  }));
  const spans = showMask(encoder.encodeConversation(messages, 4000), encoder.tokenizer);
  expect(spans).toHaveLength(25);
  expect(spans[12]).toEqual({ text: expect.stringMatching(/^ … \d+ pieces … $/) as string, isFaint: true });
  expect(spans.at(-3)).toEqual({ text: 'turn 39', isMarked: true });
});
