import type { WeightSpec } from '../weight-specs.ts';
import type { LlamaConfig } from './llama-config.ts';

function layerSpecs(index: number, config: LlamaConfig): readonly WeightSpec[] {
  const { hiddenSize: width, heads, keyValueHeads, headDim, intermediateSize: inner } = config;
  const layer = `model.layers.${index}`;
  const linear = (name: string, outputs: number, inputs: number): WeightSpec => ({
    name: `${layer}.${name}.weight`,
    shape: [outputs, inputs],
    init: 'normal',
  });
  const norm = (name: string): WeightSpec => ({
    name: `${layer}.${name}.weight`,
    shape: [width],
    init: 'ones',
  });
  return [
    norm('input_layernorm'),
    linear('self_attn.q_proj', heads * headDim, width),
    linear('self_attn.k_proj', keyValueHeads * headDim, width),
    linear('self_attn.v_proj', keyValueHeads * headDim, width),
    linear('self_attn.o_proj', width, heads * headDim),
    norm('post_attention_layernorm'),
    linear('mlp.gate_proj', inner, width),
    linear('mlp.up_proj', inner, width),
    linear('mlp.down_proj', width, inner),
  ];
}

/** Every weight of a Llama-family decoder, in the order of the forward pass, under Hugging Face's names. */
export function llamaWeightSpecs(config: LlamaConfig): readonly WeightSpec[] {
  const { vocabSize, hiddenSize: width } = config;
  return [
    { name: 'model.embed_tokens.weight', shape: [vocabSize, width], init: 'normal' },
    ...Array.from({ length: config.layers }, (_, index) => layerSpecs(index, config)).flat(),
    { name: 'model.norm.weight', shape: [width], init: 'ones' },
    ...(config.tiesEmbeddings
      ? []
      : [{ name: 'lm_head.weight', shape: [vocabSize, width], init: 'normal' } as const]),
  ];
}

/** The blocks of a decoder from the input to the head; a head that is the embedding table has no weights of its own. */
export function llamaBlocks(config: LlamaConfig): readonly string[] {
  return [
    'embeddings',
    ...Array.from({ length: config.layers }, (_, index) => `layer.${index}`),
    'norm',
    ...(config.tiesEmbeddings ? [] : ['head']),
  ];
}
