import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bertWeightSpecs, drawWeight, parseBertConfig, writeModel } from '@joyul/models';
import type { BertFolder } from '@joyul/models';
import { expect, test } from 'vitest';
import { bertTrunk, encodeFeatures, openEncoder, openStates } from '../../src/index.ts';
import { TemporaryFolder, makeTexts } from './support.ts';

const rawConfig = {
  model_type: 'bert',
  vocab_size: 50,
  hidden_size: 8,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 16,
  max_position_embeddings: 64,
  type_vocab_size: 2,
  hidden_act: 'gelu',
};

async function makeModel(folder: TemporaryFolder): Promise<BertFolder> {
  const tensors = bertWeightSpecs(parseBertConfig(rawConfig)).map((spec) => drawWeight(spec, 0.3, 1));
  writeFileSync(join(folder.path, 'tokenizer.json'), '{}');
  await writeModel(join(folder.path, 'model'), { rawConfig, tensors, tokenizerFrom: folder.path });
  return openEncoder(join(folder.path, 'model'));
}

const options = { padId: 0, backend: 'cpu', pooling: 'mean' } as const;

test('features are the mean of the token states at each depth', async () => {
  using folder = new TemporaryFolder();
  const model = await makeModel(folder);
  const texts = makeTexts([5]);
  const { byLayer } = await encodeFeatures(model, texts, { ...options, layers: [1, 2] });
  for (const cut of [1, 2]) {
    const states = await openStates(bertTrunk(model.config), await model.readTensors(), texts, {
      ...options,
      cut,
      stateType: 'float32',
    });
    const tokens = (await states?.reader().read({ indices: [0], time: 5 }, 1)) ?? [];
    const means = Array.from({ length: 8 }, (_, column) =>
      [0, 1, 2, 3, 4].reduce((sum, token) => sum + (tokens[token * 8 + column] ?? 0) / 5, 0),
    );
    expect(
      [...(byLayer.get(cut) ?? [])].map((value, index) => Math.abs(value - (means[index] ?? 0))),
    ).toSatisfy((errors: readonly number[]) => errors.length === 8 && Math.max(...errors) < 1e-6);
    await states?.close();
  }
});

test('features of texts that were seen before are found, at the depths where they were asked for', async () => {
  using folder = new TemporaryFolder();
  const model = await makeModel(folder);
  const shared = { ...options, sharedDir: folder.path };
  const first = await encodeFeatures(model, makeTexts([5, 9]), { ...shared, layers: [1, 2] });
  const second = await encodeFeatures(model, makeTexts([5, 9, 3]), { ...shared, layers: [2] });
  expect([first.reused, second.reused]).toEqual([0, 2]);
  expect(second.byLayer.get(2)?.subarray(0, 16)).toEqual(first.byLayer.get(2));
  const deeper = await encodeFeatures(model, makeTexts([5]), { ...shared, layers: [0, 2] });
  expect(deeper.reused).toBe(0);
});
