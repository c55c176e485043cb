import { join } from 'node:path';
import { openTokenizer } from '@joyul/data';
import { expect, test } from 'vitest';
import { readTokenizerFiles } from '../../src/index.ts';
import { makeFolder } from '../temporary-folder.ts';
import { list, text, u32, writeGguf } from './gguf-writer.ts';
import type { Typed } from './gguf-writer.ts';
import { tinyMetadata } from './tiny-llama.ts';

/** The tokenizer's files of a GGUF file with this metadata besides. */
async function convert(metadata: Readonly<Record<string, Typed>> = {}): Promise<ReadonlyMap<string, string>> {
  await using folder = await makeFolder();
  const file = join(folder.path, 'tiny.gguf');
  await writeGguf(file, { ...tinyMetadata, ...metadata }, []);
  return await readTokenizerFiles(file);
}

async function encode(
  words: string,
  metadata: Readonly<Record<string, Typed>> = {},
): Promise<readonly number[]> {
  const tokenizer = await openTokenizer(await convert(metadata));
  return [...tokenizer.encode(words, 64).ids];
}

test('merges and added tokens are those of the file', async () => {
  // tokens: 0 <s>, 1 </s>, 2 <user>, 3 a, 4 b, 5 c, 6 Ġ, 7 ab, 8 Ġab, 9 1, 10 2, 11 12
  expect(await encode('<user>abc ab<s>')).toEqual([2, 7, 5, 8, 0]);
  const tokenizer = await openTokenizer(await convert());
  expect(tokenizer.decode([2, 7, 8, 0])).toBe('<user>ab ab');
});

test('digits are split as the file says', async () => {
  const split = (pre: string): Promise<readonly number[]> =>
    encode('12', { 'tokenizer.ggml.pre': text(pre) });
  expect(await split('smollm')).toEqual([9, 10]);
  expect(await split('qwen2')).toEqual([9, 10]);
  expect(await split('gpt-2')).toEqual([11]);
  expect(await split('llama-bpe')).toEqual([0, 11]);
});

test('a token before and after every text is added where the file says so', async () => {
  const added = {
    'tokenizer.ggml.add_bos_token': [7, true],
    'tokenizer.ggml.add_eos_token': [7, true],
  } as const;
  expect(await encode('ab', added)).toEqual([0, 7, 1]);
  const without = {
    'tokenizer.ggml.pre': text('llama-bpe'),
    'tokenizer.ggml.add_bos_token': [7, false],
  } as const;
  expect(await encode('ab', without)).toEqual([7]);
});

test('special tokens and the chat template are told to transformers', async () => {
  const files = await convert({ 'tokenizer.ggml.padding_token_id': u32(1) });
  expect(JSON.parse(files.get('tokenizer_config.json') ?? '')).toEqual({
    tokenizer_class: 'PreTrainedTokenizerFast',
    add_prefix_space: false,
    clean_up_tokenization_spaces: false,
    bos_token: '<s>',
    eos_token: '</s>',
    pad_token: '</s>',
    model_max_length: 64,
    chat_template: '{{ messages[0].content }}',
  });
});

test('a tokenizer that cannot be converted is refused', async () => {
  const problemOf = (metadata: Readonly<Record<string, Typed>>): Promise<string> =>
    convert(metadata).then(() => 'nothing', String);
  const start = 'ModelConfigError: tiny.gguf does not describe a model that can be tuned here: ';
  const end = ' Name the same model as a Hugging Face folder, which has a tokenizer.json.';
  expect(await problemOf({ 'tokenizer.ggml.model': text('llama') })).toBe(
    `${start}Its tokenizer is of the kind "llama"; only "gpt2" (byte-level merges) can be converted.${end}`,
  );
  expect(await problemOf({ 'tokenizer.ggml.pre': text('tekken') })).toBe(
    `${start}Its tokenizer splits text as "tekken"; only "gpt-2", "smollm", "llama-bpe", "qwen2" are known.${end}`,
  );
  expect(await problemOf({ 'tokenizer.ggml.merges': list([]) })).toBe(
    `${start}Its metadata has no tokens or no merges.${end}`,
  );
});
