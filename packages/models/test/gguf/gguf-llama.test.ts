import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openModel } from '../../src/index.ts';
import type { ModelFolder } from '../../src/index.ts';
import { makeFolder } from '../temporary-folder.ts';
import { f32, plainTensor, text, u32, writeGguf } from './gguf-writer.ts';
import type { RawTensor, Typed } from './gguf-writer.ts';
import { asGguf, drawTiny, tinyConfig, tinyMetadata } from './tiny-llama.ts';

/** Opens a file with this metadata and these tensors. */
async function open(
  metadata: Readonly<Record<string, Typed>> = {},
  tensors: readonly RawTensor[] = asGguf(drawTiny()),
): Promise<{ readonly model: ModelFolder; readonly weights: ReadonlyMap<string, readonly number[]> }> {
  await using folder = await makeFolder();
  await writeGguf(join(folder.path, 'tiny.gguf'), { ...tinyMetadata, ...metadata }, tensors);
  const model = await openModel(folder.path);
  const weights = await model.readTensors();
  return { model, weights: new Map([...weights].map(([name, { data }]) => [name, [...data]])) };
}

const problemOf = (opening: Promise<unknown>): Promise<string> => opening.then(() => 'nothing', String);

test('a GGUF file opens as the model that it was made from', async () => {
  const { model, weights } = await open();
  expect(model.config).toEqual(tinyConfig);
  expect(model.blocks).toEqual(['embeddings', 'layer.0', 'layer.1', 'norm']);
  expect(model.weightCount).toBe(drawTiny().reduce((sum, { data }) => sum + data.length, 0));
  // Rows of queries and keys lie in another order in the file.
  expect(weights).toEqual(new Map(drawTiny().map(({ name, data }) => [name, [...data]])));
});

test('a head of its own makes the embeddings untied', async () => {
  const tensors = drawTiny({ ...tinyConfig, tiesEmbeddings: false });
  const { model, weights } = await open({}, asGguf(tensors));
  expect(model.config).toEqual({ ...tinyConfig, tiesEmbeddings: false });
  expect(model.blocks.at(-1)).toBe('head');
  expect(weights.get('lm_head.weight')).toEqual([...(tensors.at(-1)?.data ?? [])]);
});

test('divisors of frequencies are known as the scaling of Llama 3, and no others are', async () => {
  const withDivisors = (...values: readonly number[]): ReturnType<typeof open> =>
    open({ 'llama.rope.freq_base': f32(4e6) }, [
      ...asGguf(drawTiny()),
      plainTensor('rope_freqs.weight', [2], Float32Array.from(values)),
    ]);
  const scaling = {
    type: 'llama3',
    factor: 8,
    lowFrequencyFactor: 1,
    highFrequencyFactor: 4,
    originalPositions: 8192,
  };
  expect((await withDivisors(1, 8)).model.config).toEqual({
    ...tinyConfig,
    ropeTheta: 4e6,
    ropeScaling: scaling,
  });
  expect((await withDivisors(1, 1)).model.config).toEqual({ ...tinyConfig, ropeTheta: 4e6 });
  expect(await problemOf(withDivisors(2, 8))).toBe(
    "ModelConfigError: tiny.gguf does not describe a model that can be tuned here: Its rotary positions are scaled by rope_freqs.weight in another way than Llama 3's.",
  );
});

test('what is no Llama is refused, with every reason', async () => {
  const bias = plainTensor('blk.0.attn_q.bias', [8], new Float32Array(8));
  expect(
    await problemOf(
      open({ 'llama.expert_count': u32(8), 'split.count': u32(2) }, [...asGguf(drawTiny()), bias]),
    ),
  ).toBe(
    'ModelConfigError: tiny.gguf does not describe a model that can be tuned here: It is a mixture of experts, which is not supported. It is one of several files of a model; join them first, as llama-gguf-split --merge does. It has weights that a Llama has not: blk.0.attn_q.bias.',
  );
  expect(await problemOf(open({ 'general.architecture': text('qwen2') }))).toBe(
    'ModelConfigError: tiny.gguf does not describe a model that can be tuned here: "general.architecture" is "qwen2"; only "llama" is supported in GGUF files.',
  );
  expect(
    await problemOf(open({ 'llama.rope.scaling.type': text('yarn'), 'llama.rope.scaling.factor': f32(4) })),
  ).toBe(
    'ModelConfigError: tiny.gguf does not describe a model that can be tuned here: Rotary positions are scaled as "yarn"; only "default", "linear" and "llama3" are supported.',
  );
});

test('a missing weight and a weight of another shape are named', async () => {
  const tensors = asGguf(drawTiny());
  expect(await problemOf(open({}, tensors.slice(0, -1)))).toBe(
    'WeightsError: tiny.gguf: the weight model.norm.weight is missing.',
  );
  expect(await problemOf(open({ 'llama.feed_forward_length': u32(24) }))).toBe(
    'WeightsError: tiny.gguf: the weight model.layers.0.mlp.gate_proj.weight has the shape [16, 8], but its metadata needs [24, 8].',
  );
});
