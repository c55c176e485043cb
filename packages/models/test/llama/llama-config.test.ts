import { expect, test } from 'vitest';
import { parseLlamaConfig } from '../../src/index.ts';

const smol = {
  model_type: 'llama',
  vocab_size: 49_152,
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  max_position_embeddings: 8192,
  rms_norm_eps: 1e-5,
  rope_theta: 100_000,
  hidden_act: 'silu',
  tie_word_embeddings: true,
  rope_scaling: null,
};

test('the description of SmolLM2 is read, with the defaults of transformers', () => {
  const config = {
    vocabSize: 49_152,
    hiddenSize: 576,
    layers: 30,
    heads: 9,
    keyValueHeads: 3,
    headDim: 64,
    intermediateSize: 1536,
    maxPositions: 8192,
    rmsNormEpsilon: 1e-5,
    ropeTheta: 100_000,
    tiesEmbeddings: true,
    initializerRange: 0.02,
  };
  expect(parseLlamaConfig(smol)).toEqual(config);
  const { num_key_value_heads: _, tie_word_embeddings: __, rms_norm_eps: ___, ...bare } = smol;
  expect(parseLlamaConfig({ ...bare, model_type: 'mistral', sliding_window: null, head_dim: 32 })).toEqual({
    ...config,
    keyValueHeads: 9,
    headDim: 32,
    rmsNormEpsilon: 1e-6,
    tiesEmbeddings: false,
  });
});

test('rotary positions are read as transformers 4 and 5 write them', () => {
  const { rope_theta: _, ...without } = smol;
  const llama3 = {
    rope_type: 'llama3',
    factor: 32,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 8192,
  };
  const expected = {
    ropeTheta: 500_000,
    ropeScaling: {
      type: 'llama3',
      factor: 32,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalPositions: 8192,
    },
  };
  const five = { ...without, rope_parameters: { ...llama3, rope_theta: 500_000 } };
  const four = { ...without, rope_theta: 500_000, rope_scaling: llama3 };
  expect(parseLlamaConfig(five)).toMatchObject(expected);
  expect(parseLlamaConfig(four)).toEqual(parseLlamaConfig(five));
  expect(parseLlamaConfig({ ...smol, rope_scaling: { type: 'linear', factor: 2 } }).ropeScaling).toEqual({
    type: 'linear',
    factor: 2,
  });
  expect(parseLlamaConfig(without).ropeTheta).toBe(10_000);
});

test('everything that would be computed wrongly is told at once', () => {
  const config = {
    ...smol,
    model_type: 'qwen2',
    hidden_act: 'gelu',
    attention_bias: true,
    mlp_bias: true,
    sliding_window: 4096,
    quantization_config: { quant_method: 'gptq' },
    rope_scaling: { rope_type: 'yarn', factor: 4 },
    num_hidden_layers: 'many',
    num_key_value_heads: 2,
  };
  expect(() => parseLlamaConfig(config)).toThrow(
    'config.json does not describe a model that can be tuned here: "model_type" is "qwen2"; only "llama", "mistral" are supported. "hidden_act" is "gelu"; only "silu" is supported. "attention_bias" is true; only false, null are supported. "mlp_bias" is true; only false, null are supported. "sliding_window" is 4096; only null is supported. "quantization_config" is {"quant_method":"gptq"}; only null is supported. Rotary positions are scaled as "yarn"; only "default", "linear" and "llama3" are supported. "num_hidden_layers" must be a positive number, but is "many". "num_attention_heads" must be a multiple of "num_key_value_heads".',
  );
});
