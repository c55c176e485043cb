import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { askedOf, copySealedKeys, readSealedKeys, sealedKeyOf, writeSealedKeys } from '../src/sealed-keys.ts';

async function makeFolder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'joyul-keys-'));
  onTestFinished(() => rm(dir, { recursive: true }));
  return dir;
}

async function* rowsOf(...texts: readonly string[]) {
  for (const text of texts) yield Promise.resolve({ id: text, text });
}

test('a sealed question is known again but for case and punctuation, and cannot be read', async () => {
  const dir = await makeFolder();
  await writeSealedKeys(dir, rowsOf('Where is my card?'));
  const other = await makeFolder();
  await copySealedKeys(dir, other);
  const keys = await readSealedKeys(other);
  expect(keys.has(sealedKeyOf('where is MY card'))).toBe(true);
  expect(keys.has(sealedKeyOf('where is my cat'))).toBe(false);
  expect([...keys].join('')).toMatch(/^[0-9a-f]{32}$/);
});

test('a data set of an older version has none', async () => {
  expect((await readSealedKeys(await makeFolder())).size).toBe(0);
});

test('a conversation asks what the user said last, a text all that it says', () => {
  const messages = [
    { role: 'user', content: 'first' },
    { role: 'assistant', content: 'yes' },
    { role: 'user', content: 'second' },
    { role: 'assistant', content: 'no' },
  ] as const;
  expect([askedOf({ text: 'all', messages }), askedOf({ text: 'all' })]).toEqual(['second', 'all']);
});
