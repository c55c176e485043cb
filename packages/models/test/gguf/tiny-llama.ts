import { drawWeight, llamaWeightSpecs } from '../../src/index.ts';
import type { LlamaConfig, NamedTensor } from '../../src/index.ts';
import { f32, list, plainTensor, text, u32 } from './gguf-writer.ts';
import type { RawTensor, Typed } from './gguf-writer.ts';

/** A decoder of two layers with two heads of four numbers, which share keys and values. */
export const tinyConfig: LlamaConfig = {
  vocabSize: 12,
  hiddenSize: 8,
  layers: 2,
  heads: 2,
  keyValueHeads: 1,
  headDim: 4,
  intermediateSize: 16,
  maxPositions: 64,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 10_000,
  tiesEmbeddings: true,
  initializerRange: 0.02,
};

export const tinyTokens = ['<s>', '</s>', '<user>', 'a', 'b', 'c', 'Ġ', 'ab', 'Ġab', '1', '2', '12'];

/** The metadata of {@link tinyConfig}'s GGUF file. */
export const tinyMetadata: Readonly<Record<string, Typed>> = {
  'general.architecture': text('llama'),
  'llama.block_count': u32(2),
  'llama.context_length': u32(64),
  'llama.embedding_length': u32(8),
  'llama.feed_forward_length': u32(16),
  'llama.attention.head_count': u32(2),
  'llama.attention.head_count_kv': u32(1),
  'llama.attention.layer_norm_rms_epsilon': f32(1e-5),
  'tokenizer.ggml.model': text('gpt2'),
  'tokenizer.ggml.pre': text('smollm'),
  'tokenizer.ggml.tokens': list(tinyTokens.map(text)),
  'tokenizer.ggml.token_type': list([3, 3, 4, 1, 1, 1, 1, 1, 1, 1, 1, 1].map(u32)),
  'tokenizer.ggml.merges': list(['a b', 'Ġ ab', '1 2'].map(text)),
  'tokenizer.ggml.bos_token_id': u32(0),
  'tokenizer.ggml.eos_token_id': u32(1),
  'tokenizer.chat_template': text('{{ messages[0].content }}'),
};

/** Weights with numbers of their own. */
export function drawTiny(config: LlamaConfig = tinyConfig): readonly NamedTensor[] {
  return llamaWeightSpecs(config).map((spec) => drawWeight({ ...spec, init: 'normal' }, 1, 7));
}

const names: readonly (readonly [RegExp, string])[] = [
  [/^model\.embed_tokens/, 'token_embd'],
  [/^model\.norm/, 'output_norm'],
  [/^lm_head/, 'output'],
  [/^model\.layers\./, 'blk.'],
  [/input_layernorm/, 'attn_norm'],
  [/self_attn\.([qkv])_proj/, 'attn_$1'],
  [/self_attn\.o_proj/, 'attn_output'],
  [/post_attention_layernorm/, 'ffn_norm'],
  [/mlp\.(gate|up|down)_proj/, 'ffn_$1'],
];

/** The reshape and swap of axes by which llama.cpp's converter orders the rows of a head: [heads, 2, half] to [heads, half, 2]. */
function turnRows(data: Float32Array, width: number, headDim: number): Float32Array {
  const turned = new Float32Array(data.length);
  const half = headDim / 2;
  for (let head = 0; head * headDim * width < data.length; head++)
    for (let part = 0; part < 2; part++)
      for (let at = 0; at < half; at++) {
        const from = (head * headDim + part * half + at) * width;
        turned.set(data.subarray(from, from + width), (head * headDim + at * 2 + part) * width);
      }
  return turned;
}

/** Weights as llama.cpp's converter writes them. */
export function asGguf(tensors: readonly NamedTensor[]): readonly RawTensor[] {
  return tensors.map(({ name, shape, data }) => {
    const own = names.reduce((left, [pattern, part]) => left.replace(pattern, part), name);
    const rows = /attn_[qk]\./.test(own) ? turnRows(data, tinyConfig.hiddenSize, tinyConfig.headDim) : data;
    return plainTensor(own, shape, rows);
  });
}
