import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { ChatMessage } from '@joyul/data';
import { openGenerator, openLanguageModel } from '@joyul/training';
import { writeTinyLlama } from '@joyul/testing';
import { Writer } from '../src/writer.ts';

const prompts = Array.from({ length: 20 }, (_, at): readonly ChatMessage[] => [
  { role: 'user', content: `n${at}` },
]);

/** A writer with a tiny model, and the file in which it keeps what is done. */
async function makeWriter(signal = new AbortController().signal) {
  const scratch = await mkdtemp(join(tmpdir(), 'joyul-writer-'));
  await writeTinyLlama(join(scratch, 'tiny'));
  const { model, encoder } = await openLanguageModel(join(scratch, 'tiny'));
  const generator = await openGenerator({ model, batchSize: 8, context: 64 });
  onTestFinished(async () => {
    generator.dispose();
    await rm(scratch, { recursive: true });
  });
  const params = { temperature: 1, top_p: 1 };
  const writer = new Writer(generator, encoder, { scratch, seed: 5, signal, params, emit: () => undefined });
  const write = () => writer.write({ activity: 'writing', prompts, maxNewTokens: 6 });
  return { write, file: join(scratch, 'writing.jsonl') };
}

test('what is drawn depends on the seed and the place in the list alone', async () => {
  const [first, second] = [await (await makeWriter()).write(), await (await makeWriter()).write()];
  expect(first).toHaveLength(20);
  expect(new Set(first.map(({ text }) => text)).size).toBeGreaterThan(10);
  expect(second).toEqual(first);
});

test('an interrupted writer goes on after the last whole row, and writes what it would have written', async () => {
  const whole = await (await makeWriter()).write();
  const { write, file } = await makeWriter();
  const kept = whole.slice(0, 16).map((row) => `${JSON.stringify(row)}\n`);
  await writeFile(file, kept.join(''));
  await appendFile(file, '{"text":"cut o');
  expect(await write()).toEqual(whole);
  expect((await readFile(file, 'utf8')).split('\n')).toHaveLength(21);
});

test('a stopped writer says how far it came', async () => {
  const { write } = await makeWriter(AbortSignal.abort());
  await expect(write()).rejects.toMatchObject({
    code: 'CHECKPOINTED',
    message: 'Stopped after 0 of 20 rows.',
  });
});
