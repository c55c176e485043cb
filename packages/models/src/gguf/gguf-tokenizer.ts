/**
 * The tokenizer in a GGUF file's metadata, as the files that Hugging Face's libraries open.
 */
import { basename } from 'node:path';
import { ModelConfigError } from '../model-config.ts';
import type { GgufHeader, GgufValue } from './gguf-file.ts';

/** Kinds of tokens by llama.cpp's numbers; all others are made by merges. */
export const tokenKinds = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5 } as const;

const byteLevel = (usesRegex: boolean): unknown => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: usesRegex,
});

/** Splits words as Llama 3 does; digits stay together up to three, with Qwen 2 not at all. */
const splitWords = (digits: string): unknown => ({
  type: 'Split',
  pattern: {
    Regex: `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`,
  },
  behavior: 'Isolated',
  invert: false,
});

interface Splitting {
  readonly normalizer: unknown;
  readonly preTokenizer: unknown;
  /** Whether a word that is a token stays whole, whatever the merges say. */
  readonly ignoresMerges: boolean;
  /** Whether texts begin with the first token where the file does not say. */
  readonly addsFirst: boolean;
}

const sequence = (...pretokenizers: readonly unknown[]): unknown => ({ type: 'Sequence', pretokenizers });
const plain = { normalizer: null, ignoresMerges: false, addsFirst: false } as const;

/** How text is split before merging, by `tokenizer.ggml.pre`. */
export const splittings: Readonly<Record<string, Splitting>> = {
  'gpt-2': { ...plain, preTokenizer: byteLevel(true) },
  smollm: {
    ...plain,
    preTokenizer: sequence({ type: 'Digits', individual_digits: true }, byteLevel(true)),
  },
  'llama-bpe': {
    normalizer: null,
    preTokenizer: sequence(splitWords('\\p{N}{1,3}'), byteLevel(false)),
    ignoresMerges: true,
    addsFirst: true,
  },
  qwen2: {
    ...plain,
    normalizer: { type: 'NFC' },
    preTokenizer: sequence(splitWords('\\p{N}'), byteLevel(false)),
  },
};

const listOf = <T extends GgufValue>(
  value: GgufValue | undefined,
  isItem: (item: GgufValue) => item is T,
): readonly T[] => (Array.isArray(value) && value.every(isItem) ? value : []);
const isString = (value: GgufValue): value is string => typeof value === 'string';
const isNumber = (value: GgufValue): value is number => typeof value === 'number';

/** A post-processor that puts the model's own tokens around a text; null where it has none. */
function makePostProcessor(
  first: readonly [string, number] | undefined,
  last: readonly [string, number] | undefined,
): unknown {
  if (first === undefined && last === undefined) return null;
  const piece = (token: readonly [string, number] | undefined, type: number): readonly unknown[] =>
    token === undefined ? [] : [{ SpecialToken: { id: token[0], type_id: type } }];
  const around = (id: 'A' | 'B', type: number): readonly unknown[] => [
    ...piece(first, type),
    { Sequence: { id, type_id: type } },
    ...piece(last, type),
  ];
  return {
    type: 'TemplateProcessing',
    single: around('A', 0),
    pair: [...around('A', 0), ...around('B', 1)],
    special_tokens: Object.fromEntries(
      [first, last].flatMap((token) =>
        token === undefined ? [] : [[token[0], { id: token[0], ids: [token[1]], tokens: [token[0]] }]],
      ),
    ),
  };
}

interface Vocabulary {
  readonly tokens: readonly string[];
  readonly kinds: readonly number[];
  readonly merges: readonly string[];
  readonly splitting: Splitting;
}

function readVocabulary(file: string, { metadata }: GgufHeader): Vocabulary {
  const model = metadata.get('tokenizer.ggml.model');
  const pre = metadata.get('tokenizer.ggml.pre');
  const problems: string[] = [];
  if (model !== 'gpt2')
    problems.push(
      `Its tokenizer is of the kind ${JSON.stringify(model)}; only "gpt2" (byte-level merges) can be converted.`,
    );
  const splitting = typeof pre === 'string' && Object.hasOwn(splittings, pre) ? splittings[pre] : undefined;
  if (splitting === undefined && model === 'gpt2')
    problems.push(
      `Its tokenizer splits text as ${JSON.stringify(pre)}; only ${Object.keys(splittings)
        .map((name) => JSON.stringify(name))
        .join(', ')} are known.`,
    );
  const tokens = listOf(metadata.get('tokenizer.ggml.tokens'), isString);
  const merges = listOf(metadata.get('tokenizer.ggml.merges'), isString);
  const kinds = listOf(metadata.get('tokenizer.ggml.token_type'), isNumber);
  // Single bytes need no merges.
  const isMerged = tokens.some(
    (token, id) => [...token].length > 1 && (kinds[id] ?? 1) === tokenKinds.normal,
  );
  if (problems.length === 0 && (tokens.length === 0 || (isMerged && merges.length === 0)))
    problems.push('Its metadata has no tokens or no merges.');
  if (problems.length > 0 || splitting === undefined)
    throw new ModelConfigError(
      [...problems, 'Name the same model as a Hugging Face folder, which has a tokenizer.json.'],
      basename(file),
    );
  return { tokens, kinds, merges, splitting };
}

/** `tokenizer.json` and `tokenizer_config.json` of the model in a file, by name. */
export function makeTokenizerFiles(file: string, header: GgufHeader): ReadonlyMap<string, string> {
  const { metadata } = header;
  const { tokens, kinds, merges, splitting } = readVocabulary(file, header);
  const special = (kind: string): readonly [string, number] | undefined => {
    const id = metadata.get(`tokenizer.ggml.${kind}_token_id`);
    const token = typeof id === 'number' ? tokens[id] : undefined;
    return token === undefined || typeof id !== 'number' ? undefined : [token, id];
  };
  const addsFirst = metadata.get('tokenizer.ggml.add_bos_token') ?? splitting.addsFirst;
  const addsLast = metadata.get('tokenizer.ggml.add_eos_token') ?? false;
  const added = tokens.flatMap((content, id) => {
    const kind = kinds[id];
    const isSpecial = kind === tokenKinds.control || kind === tokenKinds.unknown;
    if (!isSpecial && kind !== tokenKinds.userDefined) return [];
    return [
      {
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: isSpecial,
      },
    ];
  });
  const json = {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: added,
    normalizer: splitting.normalizer,
    pre_tokenizer: splitting.preTokenizer,
    post_processor: makePostProcessor(
      addsFirst === true ? special('bos') : undefined,
      addsLast === true ? special('eos') : undefined,
    ),
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: splitting.ignoresMerges,
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges,
    },
  };
  const context = metadata.get('llama.context_length');
  const template = metadata.get('tokenizer.chat_template');
  const config = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    add_prefix_space: false,
    clean_up_tokenization_spaces: false,
    bos_token: special('bos')?.[0],
    eos_token: special('eos')?.[0],
    pad_token: special('padding')?.[0],
    unk_token: special('unknown')?.[0],
    ...(typeof context === 'number' ? { model_max_length: context } : {}),
    ...(typeof template === 'string' ? { chat_template: template } : {}),
  };
  return new Map([
    ['tokenizer.json', JSON.stringify(json)],
    ['tokenizer_config.json', `${JSON.stringify(config, null, 2)}\n`],
  ]);
}
