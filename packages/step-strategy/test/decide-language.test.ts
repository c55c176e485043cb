import { expect, test } from 'vitest';
import { decideLanguage } from '../src/language.ts';
import type { LanguageDecision, LanguageEvidence } from '../src/language.ts';

const few = { rows: 1000, targets: 30_000, layers: 30, weights: 135e6 } as const;

test.each<[name: string, evidence: LanguageEvidence, method: LanguageDecision['method'], top: number]>([
  ['few conversations', { ...few, task: 'chat', bitsPerByte: 1 }, 'lora', 0],
  ['few conversations in another language', { ...few, task: 'chat', bitsPerByte: 3 }, 'lora', 0],
  ['a few far texts', { ...few, task: 'text', bitsPerByte: 2 }, 'repurpose', 8],
  ['many near texts', { ...few, task: 'text', bitsPerByte: 0.8, targets: 20e6 }, 'repurpose', 15],
  ['many far texts', { ...few, task: 'text', bitsPerByte: 2, targets: 20e6 }, 'full', 15],
])('%s', (_, evidence, method, top) => {
  expect(decideLanguage(evidence)).toMatchObject({ method, top });
});
