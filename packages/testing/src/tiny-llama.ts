import { listSpecialTokens, writeTokenizer } from './tiny-tokenizer.ts';
import { drawWeight, llamaWeightSpecs, parseLlamaConfig, writeModel } from '@joyul/models';

/** A character for each byte, as byte-level tokenizers have them: printable bytes stand for themselves. */
function byteAlphabet(): readonly string[] {
  let unprintable = 0;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrintable = (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
    return String.fromCodePoint(isPrintable ? byte : 256 + unprintable++);
  });
}

const specials = ['<|end|>', '<|system|>', '<|user|>', '<|assistant|>'];
const vocabulary = [...specials, ...byteAlphabet()];

const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };

const tokenizer = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: listSpecialTokens(specials),
  normalizer: null,
  pre_tokenizer: byteLevel,
  post_processor: null,
  decoder: byteLevel,
  model: {
    type: 'BPE',
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: '',
    end_of_word_suffix: '',
    fuse_unk: false,
    byte_fallback: false,
    vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
    merges: [],
  },
};

/** What the tiny decoder sees a conversation as. */
export const tinyChatTemplate =
  "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}<|end|>\n{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";

/**
 * Writes a Llama model folder with random weights, tokens for bytes and a chat template: 2 layers of width 32, so that a
 * whole pipeline takes seconds.
 */
export async function writeTinyLlama(
  dir: string,
  { seed = 7, template = tinyChatTemplate }: { readonly seed?: number; readonly template?: string } = {},
): Promise<void> {
  const rawConfig = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: vocabulary.length,
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    intermediate_size: 64,
    max_position_embeddings: 256,
    rms_norm_eps: 1e-5,
    rope_theta: 10_000,
    bos_token_id: 0,
    eos_token_id: 0,
    // Wider than usual, so that random layers tell tokens apart.
    initializer_range: 0.2,
    tie_word_embeddings: true,
  };
  const config = parseLlamaConfig(rawConfig);
  const source = await writeTokenizer(dir, tokenizer, {
    eos_token: '<|end|>',
    pad_token: '<|end|>',
    chat_template: template,
  });
  const tensors = llamaWeightSpecs(config).map((spec) => drawWeight(spec, config.initializerRange, seed));
  await writeModel(dir, { rawConfig, tensors, tokenizerFrom: source });
}

/** Conversations as JSONL: a number is answered with the kind of its last digit; the same count gives the same rows. */
export function makeChatRows(count: number): string {
  const lines = Array.from({ length: count }, (_, index) => {
    const number = (index * 37) % 1000;
    const messages = [
      { role: 'user', content: `n${number}` },
      { role: 'assistant', content: number % 2 === 0 ? 'even' : 'odd' },
    ];
    return JSON.stringify({ messages });
  });
  return `${lines.join('\n')}\n`;
}
