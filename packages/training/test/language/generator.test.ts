import { join } from 'node:path';
import { createSession, loadBinding, Program } from '@joyul/compute';
import { Llama } from '@joyul/models';
import type { LlamaFolder } from '@joyul/models';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openGenerator } from '../../src/index.ts';
import { TemporaryFolder } from '../trunk/support.ts';
import { writeTinyLlama } from './support.ts';

const folder = new TemporaryFolder();
let model: LlamaFolder;

beforeAll(async () => {
  model = await writeTinyLlama(join(folder.path, 'model'));
});
afterAll(() => {
  folder[Symbol.dispose]();
});

/** Greedy, the whole text passed through the model again for each token. */
async function continueSlowly(prompt: readonly number[], count: number): Promise<readonly number[]> {
  const ids = [...prompt];
  while (ids.length < prompt.length + count) {
    const program = new Program();
    const llama = Llama.declare(program, model.config);
    const shape = { batch: 1, time: ids.length };
    program.entry('logits', (builder) => {
      const embedded = llama.embed(builder.input('ids', 'int32', [1, ids.length]), shape);
      const states = llama.layers(embedded, llama.causalContext(ids.length), shape);
      return { outputs: { logits: llama.logits(states) } };
    });
    const session = await createSession(program, { backend: 'cpu' });
    await session.write([...(await model.readTensors())].map(([name, { data }]) => [name, data]));
    const { logits } = await session.run('logits', { ids: Int32Array.from(ids) });
    session.dispose();
    const last = [...(logits ?? [])].slice(-model.config.vocabSize);
    ids.push(last.indexOf(Math.max(...last)));
  }
  return ids.slice(prompt.length);
}

const prompt = [3, 41, 7, 7, 19];
const backends = loadBinding().isLoaded
  ? (['cpu', 'wasm', 'tensorflow'] as const)
  : (['cpu', 'wasm'] as const);

describe.each(backends)('on %s', (backend) => {
  test('kept keys and values continue a text as none would', async () => {
    const generator = await openGenerator({ model, backend });
    const first = await generator.generate([prompt], { maxNewTokens: 12 });
    const second = await generator.generate([[5]], { maxNewTokens: 4 });
    generator.dispose();
    expect(first).toEqual([{ ids: await continueSlowly(prompt, 12), ending: 'length' }]);
    expect(second).toEqual([{ ids: await continueSlowly([5], 4), ending: 'length' }]);
  });

  test('texts that are continued at the same time are as they would be alone', async () => {
    const prompts = [prompt, [5], [9, 9, 30], [2, 40, 41, 42, 43, 44, 45]];
    const generator = await openGenerator({ model, backend, batchSize: 3 });
    const results = await generator.generate(prompts, { maxNewTokens: 6 });
    generator.dispose();
    const alone = await Promise.all(prompts.map((own) => continueSlowly(own, 6)));
    expect(results.map(({ ids }) => ids)).toEqual(alone);
  });
});

describe('a generation', () => {
  test('ends with a token that ends texts, which is told as it is made', async () => {
    const generator = await openGenerator({ model, backend: 'cpu' });
    const [free] = await generator.generate([prompt], { maxNewTokens: 6 });
    const ids = free?.ids ?? [];
    const stop = ids[2] ?? -1;
    const told: number[] = [];
    const [stopped] = await generator.generate([prompt], {
      maxNewTokens: 6,
      stopIds: [stop],
      onToken: (id) => told.push(id),
    });
    generator.dispose();
    expect(stopped).toEqual({ ids: ids.slice(0, ids.indexOf(stop) + 1), ending: 'stop' });
    expect(told).toEqual(stopped?.ids);
  });

  test('ends where the context does', async () => {
    const generator = await openGenerator({ model, backend: 'cpu', context: 8 });
    const results = await generator.generate([prompt], { maxNewTokens: 20 });
    const tooLong = generator.generate([[...prompt, 1, 2, 3]], { maxNewTokens: 1 });
    await expect(tooLong).rejects.toThrow(
      'A prompt of 8 tokens cannot be continued in a context of 8: give 1 to 7 tokens, or open the model with a larger context.',
    );
    generator.dispose();
    expect(results).toEqual([{ ids: await continueSlowly(prompt, 4), ending: 'context' }]);
  });

  test('is drawn where a temperature is given, the same again from the same seed', async () => {
    const generator = await openGenerator({ model, backend: 'cpu' });
    const draw = async (seed: number): Promise<unknown> =>
      generator.generate([prompt], { maxNewTokens: 16, temperature: 2, seed });
    const [first, second, other] = [await draw(1), await draw(1), await draw(2)];
    generator.dispose();
    expect(first).toEqual(second);
    expect(first).not.toEqual(other);
  });
});
