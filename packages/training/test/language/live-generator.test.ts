import { join } from 'node:path';
import { loadBinding } from '@joyul/compute';
import type { LlamaFolder } from '@joyul/models';
import type { Backend } from '@joyul/plugin-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openGenerator, openLiveGenerator } from '../../src/index.ts';
import type { Generation, LiveGenerator, LiveOptions } from '../../src/index.ts';
import { TemporaryFolder } from '../trunk/support.ts';
import { writeTinyLlama } from './support.ts';

const folder = new TemporaryFolder();
let exact: { readonly model: LlamaFolder; readonly backend: Backend; readonly precision: 'float32' };

beforeAll(async () => {
  const model = await writeTinyLlama(join(folder.path, 'model'));
  exact = { model, backend: loadBinding().isLoaded ? 'tensorflow' : 'cpu', precision: 'float32' };
});
afterAll(() => {
  folder[Symbol.dispose]();
});

const prompts = [[3, 41, 7, 7, 19], [5], [9, 9, 30], [2, 40, 41, 42, 43, 44, 45], [11, 12]];

/** What each prompt gives by itself. */
async function continueAlone(options: LiveOptions): Promise<readonly Generation[]> {
  const generator = await openGenerator(exact);
  const results: Generation[] = [];
  for (const prompt of prompts) results.push(...(await generator.generate([prompt], options)));
  generator.dispose();
  return results;
}

/** Each begins when the one before has made two tokens. */
async function startOneAfterTheOther(
  generator: LiveGenerator,
  options: LiveOptions,
): Promise<readonly Generation[]> {
  const begun = prompts.map(() => Promise.withResolvers<Promise<Generation>>());
  const begin = (index: number): void => {
    const prompt = prompts[index];
    let made = 0;
    const onToken = (): void => {
      if (++made === 2) begin(index + 1);
    };
    if (prompt !== undefined) begun[index]?.resolve(generator.generate(prompt, { ...options, onToken }));
  };
  begin(0);
  return Promise.all(begun.map(async ({ promise }) => promise));
}

describe('texts that join others at work are as they would be alone', () => {
  test.each([
    ['greedily', { maxNewTokens: 9 }],
    ['by drawing', { maxNewTokens: 9, temperature: 1.5, seed: 4 }],
    ['until the room is full', { maxNewTokens: 200 }],
  ])('%s', async (_, options) => {
    const generator = await openLiveGenerator({ ...exact, batchSize: 3 });
    const results = await startOneAfterTheOther(generator, options);
    generator.dispose();
    expect(results).toEqual(await continueAlone(options));
  });
});

test('a text that nobody waits for any more leaves its row to the next', async () => {
  const generator = await openLiveGenerator({ ...exact, batchSize: 1 });
  const left = new AbortController();
  const long = generator.generate([3], {
    maxNewTokens: 60,
    signal: left.signal,
    onToken: () => {
      left.abort();
    },
  });
  const next = generator.generate([5], { maxNewTokens: 2 });
  expect([(await long).ids.length, (await next).ids.length]).toEqual([1, 2]);
  expect(generator.load).toEqual({ live: 0, waiting: 0 });
  generator.dispose();
});

test('a prompt without room is refused, and others go on', async () => {
  const generator = await openLiveGenerator({ ...exact, batchSize: 2 });
  const fine = generator.generate([5], { maxNewTokens: 2 });
  await expect(generator.generate(new Array<number>(64).fill(1), { maxNewTokens: 1 })).rejects.toThrow(
    'A prompt of 64 tokens cannot be continued in a context of 64',
  );
  expect((await fine).ids).toHaveLength(2);
  generator.dispose();
});
