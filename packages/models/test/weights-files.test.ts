import { readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openWeights, writeWeights } from '../src/weights-files.ts';
import { makeFolder } from './temporary-folder.ts';

const tensors = ['d', 'c', 'b', 'a'].map((name, index) => ({
  name,
  shape: [4],
  data: Float32Array.of(index, 1, 2, 3),
}));

test('weights beyond a size are written into several files with an index', async () => {
  await using folder = await makeFolder();
  await writeWeights(folder.path, tensors, { maxFileBytes: 40 });
  expect((await readdir(folder.path)).sort()).toEqual([
    'model-00001-of-00002.safetensors',
    'model-00002-of-00002.safetensors',
    'model.safetensors.index.json',
  ]);
  expect(JSON.parse(await readFile(join(folder.path, 'model.safetensors.index.json'), 'utf8'))).toEqual({
    metadata: { total_size: 64 },
    weight_map: {
      a: 'model-00001-of-00002.safetensors',
      b: 'model-00001-of-00002.safetensors',
      c: 'model-00002-of-00002.safetensors',
      d: 'model-00002-of-00002.safetensors',
    },
  });
  const { tensors: read } = await openWeights(folder.path);
  const data = await Promise.all(
    read.map(async (tensor) => [tensor.name, [...(await tensor.readData())]] as const),
  );
  expect(Object.fromEntries(data)).toEqual(
    Object.fromEntries(tensors.map((item) => [item.name, [...item.data]])),
  );
});

test('weights within the size are one file', async () => {
  await using folder = await makeFolder();
  await writeWeights(folder.path, tensors, { maxFileBytes: 40, dtype: 'BF16' });
  expect(await readdir(folder.path)).toEqual(['model.safetensors']);
});

test('a folder whose weights are not all there is refused', async () => {
  await using folder = await makeFolder();
  const index = join(folder.path, 'model.safetensors.index.json');
  const problemOf = (): Promise<string> => openWeights(folder.path).then(() => 'nothing', String);
  expect(await problemOf()).toBe(
    'WeightsError: model.safetensors: the folder has no such file, and no model.safetensors.index.json.',
  );
  await writeWeights(folder.path, tensors, { maxFileBytes: 40 });
  await rm(join(folder.path, 'model-00002-of-00002.safetensors'));
  expect(await problemOf()).toBe(
    'WeightsError: model.safetensors.index.json: it names files that are not in the folder: model-00002-of-00002.safetensors.',
  );
  await writeFile(index, '{"weight_map": {"a": "../model.safetensors"}}');
  expect(await problemOf()).toBe(
    'WeightsError: model.safetensors.index.json: it names files that are not in the folder: ../model.safetensors.',
  );
  await writeFile(index, '{');
  expect(await problemOf()).toBe('WeightsError: model.safetensors.index.json: this is not JSON.');
});
