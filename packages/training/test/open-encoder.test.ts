import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { StepFailure } from '@joyul/plugin-api';
import { drawWeight, llamaWeightSpecs, parseLlamaConfig, writeModel } from '@joyul/models';
import { expect, test } from 'vitest';
import { openEncoder } from '../src/index.ts';

/** What a step tells of a folder with this description, with weights of a tiny decoder beside it. */
async function failureOf(change: Readonly<Record<string, unknown>>): Promise<readonly unknown[]> {
  const dir = await mkdtemp(join(tmpdir(), 'joyul-encoder-'));
  const rawConfig = {
    model_type: 'llama',
    vocab_size: 8,
    hidden_size: 8,
    intermediate_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
  };
  const specs = llamaWeightSpecs(parseLlamaConfig(rawConfig));
  try {
    await writeModel(dir, {
      rawConfig,
      tensors: specs.map((spec) => drawWeight(spec, 0.02, 1)),
      tokenizerFrom: dir,
    });
    await writeFile(join(dir, 'config.json'), JSON.stringify({ ...rawConfig, ...change }));
    const error = await openEncoder(dir).catch((cause: unknown) => cause);
    return error instanceof StepFailure ? [error.code, error.message, error.help] : [error];
  } finally {
    await rm(dir, { recursive: true });
  }
}

test('a decoder is refused where texts are classified', async () => {
  expect(await failureOf({})).toEqual([
    'NOT_AN_ENCODER',
    'The model is a decoder (llama), but classifying texts needs an encoder.',
    'Name a model of the BERT family, such as hf:sentence-transformers/all-MiniLM-L6-v2.',
  ]);
});

test('a model that cannot be opened is the failure of the step that was given it', async () => {
  expect(await failureOf({ attention_bias: true })).toEqual([
    'MODEL',
    'config.json does not describe a model that can be tuned here: "attention_bias" is true; only false, null are supported.',
    'Name a model of the BERT family with whole files.',
  ]);
  expect(await failureOf({ num_hidden_layers: 2 })).toEqual([
    'MODEL',
    'model.safetensors: the weight model.layers.1.input_layernorm.weight is missing.',
    'Name a model of the BERT family with whole files.',
  ]);
});
