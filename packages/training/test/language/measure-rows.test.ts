import { join } from 'node:path';
import { writeTinyLlama } from '@joyul/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { encodeLanguageRows, measureLanguage, measureRows, openLanguageModel } from '../../src/index.ts';
import type { LanguageModel } from '../../src/index.ts';
import { TemporaryFolder } from '../trunk/support.ts';

const folder = new TemporaryFolder();
let language: LanguageModel;

beforeAll(async () => {
  const dir = join(folder.path, 'tiny');
  await writeTinyLlama(dir);
  language = await openLanguageModel(dir);
});
afterAll(() => {
  folder[Symbol.dispose]();
});

const rows = [
  { id: 'a', text: 'A short text.' },
  { id: 'b', text: 'A text that is longer than one piece, so that it is divided into several.' },
  {
    id: 'c',
    text: 'n1 odd',
    messages: [
      { role: 'user', content: 'n1' },
      { role: 'assistant', content: 'odd' },
    ],
  },
] as const;

test('rows that are measured one by one add up to what they lose together', async () => {
  const { examples, targets } = encodeLanguageRows(rows, language.encoder, 32);
  const losses = await measureRows(language, rows, { maxLength: 32 });
  expect(losses).toHaveLength(3);
  expect(losses.reduce((sum, loss) => sum + loss.targets, 0)).toBe(targets);
  const together = await measureLanguage(language.model, examples);
  const total = losses.reduce((sum, loss) => sum + loss.total, 0);
  expect(total / targets).toBeCloseTo(together, 4);
});

test('a row loses the same whatever stands beside it', async () => {
  const [, , alone] = await measureRows(language, rows, { maxLength: 32 });
  const [own] = await measureRows(language, rows.slice(2), { maxLength: 32 });
  expect(own?.targets).toBe(alone?.targets);
  expect(own?.total).toBeCloseTo(alone?.total ?? 0, 4);
});
