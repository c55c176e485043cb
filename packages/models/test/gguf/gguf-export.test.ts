import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeTinyLlama } from '@joyul/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { exportGguf, openModel, readTokenizerFiles } from '../../src/index.ts';
import type { GgufWrittenType, LlamaFolder } from '../../src/index.ts';

let folder: string;
let model: LlamaFolder;

async function open(path: string): Promise<LlamaFolder> {
  const opened = await openModel(path);
  if (opened.architecture !== 'llama') throw new Error('This is not a decoder.');
  return opened;
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'joyul-gguf-'));
  await writeTinyLlama(join(folder, 'tiny'));
  model = await open(join(folder, 'tiny'));
});
afterAll(async () => {
  await rm(folder, { recursive: true });
});

async function roundTrip(from: LlamaFolder, type: GgufWrittenType): Promise<LlamaFolder> {
  const file = join(folder, `${type}.gguf`);
  await exportGguf(file, from, { name: 'tiny', type });
  return open(file);
}

/** The largest difference of a weight, in parts of the largest weight of its tensor. */
async function measureDifference(left: LlamaFolder, right: LlamaFolder): Promise<number> {
  const [own, other] = await Promise.all([left.readTensors(), right.readTensors()]);
  expect([...other.keys()].sort()).toEqual([...own.keys()].sort());
  return Math.max(
    ...[...own].map(([name, { data }]) => {
      const most = data.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
      return data.reduce(
        (largest, value, at) =>
          Math.max(largest, Math.abs(value - (other.get(name)?.data[at] ?? Number.NaN)) / most),
        0,
      );
    }),
  );
}

test.each([
  ['F32', 0],
  ['F16', 2 ** -11],
  // Half a step of 127, and the scale's own rounding.
  ['Q8_0', 0.6 / 127],
] as const)('a model as %s is read back as the same model', async (type, bound) => {
  const written = await roundTrip(model, type);
  expect(written.config).toEqual({ ...model.config, initializerRange: 0.02 });
  expect(await measureDifference(model, written)).toBeLessThanOrEqual(bound);
});

test('positions that are stretched as Llama 3.1 does stay so', async () => {
  const dir = join(folder, 'stretched');
  await writeTinyLlama(dir);
  const scaling = {
    rope_type: 'llama3',
    factor: 8,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  };
  await writeFile(
    join(dir, 'config.json'),
    JSON.stringify({ ...model.rawConfig, rope_theta: 500_000, rope_scaling: scaling }),
  );
  expect((await roundTrip(await open(dir), 'F32')).config.ropeScaling).toMatchObject({
    type: 'llama3',
    factor: 8,
  });
});

test('tokens, special ones and the chat template are kept', async () => {
  const { path } = await roundTrip(model, 'F32');
  const [own, other] = [await readTokenizerFiles(model.path), await readTokenizerFiles(path)];
  const read = (files: ReadonlyMap<string, string>, name: string): Record<string, unknown> =>
    JSON.parse(files.get(name) ?? '{}') as Record<string, unknown>; // Hugging Face's file.
  const vocabularyOf = (files: ReadonlyMap<string, string>): unknown => {
    const { model: merges } = read(files, 'tokenizer.json') as {
      readonly model?: { readonly vocab?: unknown };
    };
    return merges?.vocab;
  };
  expect(vocabularyOf(other)).toEqual(vocabularyOf(own));
  expect(read(other, 'tokenizer.json')['added_tokens']).toEqual(read(own, 'tokenizer.json')['added_tokens']);
  expect(read(other, 'tokenizer_config.json')).toMatchObject(read(own, 'tokenizer_config.json'));
});

test('a tokenizer that GGUF has no name for is refused', async () => {
  const dir = join(folder, 'odd');
  await mkdir(dir);
  await writeTinyLlama(dir);
  const tokenizer = JSON.parse((await readTokenizerFiles(dir)).get('tokenizer.json') ?? '') as object; // Hugging Face's file.
  await writeFile(
    join(dir, 'tokenizer.json'),
    JSON.stringify({ ...tokenizer, pre_tokenizer: { type: 'Whitespace' } }),
  );
  await expect(
    exportGguf(join(folder, 'odd.gguf'), await open(dir), { name: 'odd', type: 'F32' }),
  ).rejects.toThrow(
    'It splits text in a way that GGUF has no name for here; gpt-2, smollm, llama-bpe, qwen2 have one.',
  );
});
