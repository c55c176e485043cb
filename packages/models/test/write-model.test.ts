import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openModel, writeModel } from '../src/index.ts';
import { writeGguf } from './gguf/gguf-writer.ts';
import { asGguf, drawTiny, tinyConfig, tinyMetadata } from './gguf/tiny-llama.ts';
import { makeFolder } from './temporary-folder.ts';

const readJson = async (file: string): Promise<unknown> => JSON.parse(await readFile(file, 'utf8'));

test('a GGUF file is written as a Hugging Face folder that opens as the same model', async () => {
  await using folder = await makeFolder();
  const [gguf, copy] = [join(folder.path, 'tiny.gguf'), join(folder.path, 'copy')];
  await writeGguf(gguf, tinyMetadata, asGguf(drawTiny()));
  const model = await openModel(gguf);
  await writeModel(copy, {
    rawConfig: model.rawConfig,
    tensors: [...model.tensors.values()],
    tokenizerFrom: model.path,
    maxFileBytes: 1000,
  });
  const written = await openModel(copy);
  expect(written.config).toEqual(tinyConfig);
  expect(written.files.length).toBeGreaterThan(1);
  expect(await written.readTensors()).toEqual(await model.readTensors());
  expect(await readJson(join(copy, 'generation_config.json'))).toEqual({ bos_token_id: 0, eos_token_id: 1 });
  expect(await readdir(copy)).toEqual(expect.arrayContaining(['tokenizer.json', 'tokenizer_config.json']));
});

test('the description names the type of the weights, and not the one they were read in', async () => {
  await using folder = await makeFolder();
  const [gguf, copy] = [join(folder.path, 'tiny.gguf'), join(folder.path, 'copy')];
  await writeGguf(gguf, tinyMetadata, asGguf(drawTiny()));
  const { rawConfig } = await openModel(gguf);
  await writeModel(copy, {
    rawConfig: { ...rawConfig, dtype: 'float32', torch_dtype: 'float32' },
    tensors: drawTiny(),
    tokenizerFrom: gguf,
    dtype: 'BF16',
  });
  expect((await openModel(copy)).rawConfig).toEqual({ ...rawConfig, torch_dtype: 'bfloat16' });
});

test('settings of generation and the chat template come along', async () => {
  await using folder = await makeFolder();
  const [first, second] = [join(folder.path, 'first'), join(folder.path, 'second')];
  const gguf = join(folder.path, 'tiny.gguf');
  await writeGguf(gguf, tinyMetadata, asGguf(drawTiny()));
  const { rawConfig } = await openModel(gguf);
  await writeModel(first, { rawConfig, tensors: drawTiny(), tokenizerFrom: gguf });
  await writeFile(join(first, 'generation_config.json'), '{"eos_token_id": [1, 2]}');
  await writeFile(join(first, 'chat_template.jinja'), 'A template');
  await writeModel(second, { rawConfig, tensors: drawTiny(), tokenizerFrom: first });
  expect(await readJson(join(second, 'generation_config.json'))).toEqual({ eos_token_id: [1, 2] });
  expect(await readFile(join(second, 'chat_template.jinja'), 'utf8')).toBe('A template');
});
