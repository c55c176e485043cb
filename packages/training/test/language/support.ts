import { drawWeight, llamaWeightSpecs, openModel, parseLlamaConfig, writeModel } from '@joyul/models';
import type { LlamaFolder } from '@joyul/models';
import type { LanguageExample } from '../../src/index.ts';

const rawConfig = {
  model_type: 'llama',
  vocab_size: 48,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 64,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  initializer_range: 0.3,
  tie_word_embeddings: true,
};

/** Writes a small decoder with random weights, and opens it. */
export async function writeTinyLlama(dir: string): Promise<LlamaFolder> {
  const config = parseLlamaConfig(rawConfig);
  const tensors = llamaWeightSpecs(config).map((spec) => drawWeight(spec, 0.3, 3));
  await writeModel(dir, { rawConfig, tensors, tokenizerFrom: dir });
  const model = await openModel(dir);
  if (model.architecture !== 'llama') throw new Error('This is not a decoder.');
  return model;
}

/** Texts that count up in steps of 5; the first `promptLength` tokens are not learned. */
export const makeExamples = (lengths: readonly number[], promptLength = 1): readonly LanguageExample[] =>
  lengths.map((length, text) => {
    const ids = Int32Array.from({ length }, (_, at) => (text * 7 + at * 5) % 48);
    return { ids, labels: ids.map((id, at) => (at < promptLength ? -100 : id)) };
  });
