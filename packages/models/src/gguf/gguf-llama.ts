/**
 * Llama models in GGUF files, in Hugging Face's terms: `config.json`'s fields, names of weights, and the order of rows
 * that rotary positions need.
 */
import { basename } from 'node:path';
import { ModelConfigError } from '../model-config.ts';
import type { LlamaConfig } from '../llama/llama-config.ts';
import type { LazyTensor } from '../tensors.ts';
import { readNumbers } from '../tensors.ts';
import type { GgufHeader, GgufTensor } from './gguf-file.ts';
import { readNamedScaling, ropeDivisorsName } from './gguf-rope.ts';

/** Parts of a layer by llama.cpp's names, in Hugging Face's. */
export const layerParts: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};
/** What lies outside the layers. */
export const otherParts: Readonly<Record<string, string>> = {
  'token_embd.weight': 'model.embed_tokens.weight',
  'output_norm.weight': 'model.norm.weight',
  'output.weight': 'lm_head.weight',
};

/** Hugging Face's name of a weight; undefined for what a Llama has not. */
function nameOf(name: string): string | undefined {
  const [, layer, part = ''] = /^blk\.(\d+)\.(\w+)\.weight$/.exec(name) ?? [];
  const translated = layerParts[part];
  return layer !== undefined && translated !== undefined
    ? `model.layers.${layer}.${translated}.weight`
    : otherParts[name];
}

/** A number that went through 32 bits, as it was written: 1e-5 and not 0.00000999999974. */
function shorten(value: number): number {
  const short = Number(value.toPrecision(7));
  return Math.fround(short) === Math.fround(value) ? short : value;
}

/** `config.json` of the model in a file. */
export function makeLlamaJson(file: string, header: GgufHeader): Readonly<Record<string, unknown>> {
  const { metadata, tensors } = header;
  const architecture = metadata.get('general.architecture');
  const problems: string[] = [];
  if (architecture !== 'llama')
    problems.push(
      `"general.architecture" is ${JSON.stringify(architecture)}; only "llama" is supported in GGUF files.`,
    );
  if (Number(metadata.get('llama.expert_count') ?? 0) > 0)
    problems.push('It is a mixture of experts, which is not supported.');
  if (Number(metadata.get('split.count') ?? 1) > 1)
    problems.push(
      'It is one of several files of a model; join them first, as llama-gguf-split --merge does.',
    );
  const extra = tensors
    .map((tensor) => tensor.name)
    .filter((name) => nameOf(name) === undefined && name !== ropeDivisorsName);
  if (extra.length > 0 && architecture === 'llama')
    problems.push(`It has weights that a Llama has not: ${extra.slice(0, 3).join(', ')}.`);
  if (problems.length > 0) throw new ModelConfigError(problems, basename(file));
  const get = (key: string): unknown => metadata.get(`llama.${key}`);
  const tokens = metadata.get('tokenizer.ggml.tokens');
  const token = (kind: string): unknown => metadata.get(`tokenizer.ggml.${kind}_token_id`);
  const table = tensors.find((tensor) => tensor.name === 'token_embd.weight');
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: table?.shape[0] ?? get('vocab_size') ?? (Array.isArray(tokens) ? tokens.length : undefined),
    hidden_size: get('embedding_length'),
    intermediate_size: get('feed_forward_length'),
    num_hidden_layers: get('block_count'),
    num_attention_heads: get('attention.head_count'),
    num_key_value_heads: get('attention.head_count_kv') ?? get('attention.head_count'),
    ...withDefined({ head_dim: get('attention.key_length') ?? get('rope.dimension_count') }),
    max_position_embeddings: get('context_length'),
    rms_norm_eps: shorten(Number(get('attention.layer_norm_rms_epsilon') ?? 1e-5)),
    rope_theta: shorten(Number(get('rope.freq_base') ?? 10_000)),
    ...withDefined({ rope_scaling: readNamedScaling(metadata) }),
    hidden_act: 'silu',
    attention_bias: false,
    mlp_bias: false,
    attention_dropout: 0,
    initializer_range: 0.02,
    tie_word_embeddings: !tensors.some((tensor) => tensor.name === 'output.weight'),
    use_cache: true,
    ...withDefined({
      bos_token_id: token('bos'),
      eos_token_id: token('eos'),
      pad_token_id: token('padding'),
    }),
  };
}

function withDefined(fields: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

/**
 * Undoes llama.cpp's order of rows within heads, in place: there the two elements that a rotation turns are
 * neighbours, row 2j + s of a head; in Hugging Face's weights they are half a head apart, row s · headDim/2 + j.
 */
export function restoreHeadRows(data: Float32Array, width: number, headDim: number): Float32Array {
  const half = headDim / 2;
  const head = new Float32Array(headDim * width);
  for (let start = 0; start < data.length; start += head.length) {
    head.set(data.subarray(start, start + head.length));
    for (let row = 0; row < headDim; row++) {
      const source = (2 * (row % half) + Math.floor(row / half)) * width;
      data.set(head.subarray(source, source + width), start + row * width);
    }
  }
  return data;
}

async function readWeights(file: string, stored: GgufTensor, config: LlamaConfig): Promise<Float32Array> {
  const data = await readNumbers(file, stored, stored.type, `the tensor ${stored.name}`);
  const isTurned = /\.attn_[qk]\.weight$/.test(stored.name);
  return isTurned ? restoreHeadRows(data, config.hiddenSize, config.headDim) : data;
}

/** The weights in a file under Hugging Face's names, in its order of rows. */
export function listLlamaTensors(
  file: string,
  header: GgufHeader,
  config: LlamaConfig,
): readonly LazyTensor[] {
  return header.tensors.flatMap((stored) => {
    const name = nameOf(stored.name);
    return name === undefined
      ? []
      : [{ name, shape: stored.shape, readData: () => readWeights(file, stored, config) }];
  });
}
