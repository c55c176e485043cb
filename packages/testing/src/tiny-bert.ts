import { listSpecialTokens, writeTokenizer } from './tiny-tokenizer.ts';
import { bertWeightSpecs, drawWeight, maskedHeadSpecs, parseBertConfig, writeModel } from '@joyul/models';

/** Words of the tiny model's language: its first half is said in one mood, its second half in the other. */
const moods = {
  glad: ['good', 'fine', 'great', 'happy', 'nice', 'warm', 'calm', 'bright'],
  sad: ['bad', 'poor', 'awful', 'angry', 'cold', 'dark', 'loud', 'broken'],
} as const;
const fillers = [
  'the',
  'a',
  'day',
  'house',
  'train',
  'letter',
  'phone',
  'was',
  'is',
  'very',
  'and',
  'my',
  'we',
  'it',
];
const specials = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
const vocabulary = [...specials, ...fillers, ...moods.glad, ...moods.sad];

const tokenizer = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: listSpecialTokens(specials),
  normalizer: {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: true,
    strip_accents: null,
    lowercase: true,
  },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [
      { SpecialToken: { id: '[CLS]', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '[SEP]', type_id: 0 } },
    ],
    pair: [],
    special_tokens: {
      '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
      '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
    },
  },
  decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(vocabulary.map((word, id) => [word, id])),
  },
};

/**
 * Writes a BERT model folder with random weights: 3 layers of width 32, so that a whole pipeline takes seconds. With
 * `guessesWords` it has a head for masked words.
 */
export async function writeTinyBert(
  dir: string,
  seed = 7,
  { guessesWords = false }: { readonly guessesWords?: boolean } = {},
): Promise<void> {
  const rawConfig = {
    architectures: ['BertModel'],
    model_type: 'bert',
    vocab_size: vocabulary.length,
    hidden_size: 32,
    num_hidden_layers: 3,
    num_attention_heads: 4,
    intermediate_size: 64,
    max_position_embeddings: 64,
    type_vocab_size: 2,
    layer_norm_eps: 1e-12,
    // Wider than usual, so that random layers tell words apart.
    initializer_range: 0.2,
  };
  const config = parseBertConfig(rawConfig);
  const source = await writeTokenizer(dir, tokenizer, {
    pad_token: '[PAD]',
    unk_token: '[UNK]',
    cls_token: '[CLS]',
    sep_token: '[SEP]',
    mask_token: '[MASK]',
  });
  const specs = [...bertWeightSpecs(config), ...(guessesWords ? maskedHeadSpecs(config) : [])];
  const tensors = specs.map((spec) => drawWeight(spec, config.initializerRange, seed));
  await writeModel(dir, { rawConfig, tensors, tokenizerFrom: source });
}

/** Texts of both moods as CSV, with the columns text and label; the same count gives the same rows. */
export function makeMoodRows(count: number): string {
  const lines = ['text,label'];
  for (let index = 0; index < count; index++) {
    const label = index % 2 === 0 ? 'glad' : 'sad';
    const pick = (list: readonly string[], step: number): string => list[(index * step) % list.length] ?? '';
    const words = [
      pick(fillers, 3),
      pick(fillers, 5),
      pick(moods[label], 7),
      pick(fillers, 11),
      pick(moods[label], 3),
      index,
    ];
    lines.push(`${words.join(' ')},${label}`);
  }
  return `${lines.join('\n')}\n`;
}
