import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  bertWeightSpecs,
  drawWeight,
  maskedHeadSpecs,
  openModel,
  parseBertConfig,
  writeTensors,
} from '../src/index.ts';
import { makeFolder } from './temporary-folder.ts';

const bert = {
  model_type: 'bert',
  vocab_size: 6,
  hidden_size: 4,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 8,
  max_position_embeddings: 8,
};

const problemOf = (path: string): Promise<string> => openModel(path).then(() => 'nothing', String);

test('an encoder opens with the prefix of its weights left out, and without its pooler', async () => {
  await using folder = await makeFolder();
  await writeFile(join(folder.path, 'config.json'), JSON.stringify(bert));
  const tensors = bertWeightSpecs(parseBertConfig(bert)).map((spec) => drawWeight(spec, 0.02, 1));
  const pooler = { name: 'pooler.dense.bias', shape: [4], data: new Float32Array(4) };
  await writeTensors(
    join(folder.path, 'model.safetensors'),
    [...tensors, pooler].map((tensor) => ({ ...tensor, name: `bert.${tensor.name}` })),
  );
  const model = await openModel(folder.path);
  expect([model.architecture, model.blocks]).toEqual(['bert', ['embeddings', 'layer.0', 'classifier']]);
  const read = await model.readTensors((name) => name.startsWith('embeddings.'));
  expect([...read.keys()].sort()).toEqual(
    tensors.flatMap(({ name }) => (name.startsWith('embeddings.') ? [name] : [])).sort(),
  );
  expect(model.tensors.size).toBe(tensors.length);
});

test('a head that guesses masked words is apart, and norms of old files have their new names', async () => {
  await using folder = await makeFolder();
  await writeFile(join(folder.path, 'config.json'), JSON.stringify(bert));
  const config = parseBertConfig(bert);
  const specs = [...bertWeightSpecs(config), ...maskedHeadSpecs(config)];
  const oldName = (name: string): string =>
    (name.startsWith('cls.') ? name : `bert.${name}`)
      .replace('LayerNorm.weight', 'LayerNorm.gamma')
      .replace('LayerNorm.bias', 'LayerNorm.beta');
  await writeTensors(
    join(folder.path, 'model.safetensors'),
    specs.map((spec) => ({ ...drawWeight(spec, 0.02, 1), name: oldName(spec.name) })),
  );
  const model = await openModel(folder.path);
  if (model.architecture !== 'bert') throw new Error('This is not an encoder.');
  expect(model.maskedHead.map(({ name }) => name)).toEqual(maskedHeadSpecs(config).map(({ name }) => name));
  expect(model.tensors.size).toBe(bertWeightSpecs(config).length);
});

test('a model of another kind is refused', async () => {
  await using folder = await makeFolder();
  const start = 'ModelConfigError: config.json does not describe a model that can be tuned here: ';
  await writeFile(join(folder.path, 'config.json'), JSON.stringify({ model_type: 't5' }));
  expect(await problemOf(folder.path)).toBe(
    `${start}"model_type" is "t5"; only "bert", "llama", "mistral" are supported.`,
  );
  await writeFile(join(folder.path, 'config.json'), '{');
  expect(await problemOf(folder.path)).toBe(`${start}It is not JSON.`);
});

test('a folder with several GGUF files needs one to be named', async () => {
  await using folder = await makeFolder();
  const dir = join(folder.path, 'models');
  await mkdir(dir);
  for (const name of ['b.gguf', 'a.gguf']) await writeFile(join(dir, name), 'GGUF');
  expect(await problemOf(dir)).toBe(
    'WeightsError: models: the folder has several models: a.gguf, b.gguf. Name one of the files.',
  );
  expect(await problemOf(join(dir, 'a.gguf'))).toBe(
    'WeightsError: a.gguf: the file ends within its header; it was not downloaded whole.',
  );
});
