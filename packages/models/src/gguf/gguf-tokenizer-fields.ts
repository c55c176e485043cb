/** Hugging Face's tokenizer files as the metadata of a GGUF file. */
import { isDeepStrictEqual } from 'node:util';
import { ModelConfigError } from '../model-config.ts';
import { splittings, tokenKinds } from './gguf-tokenizer.ts';
import type { GgufField } from './gguf-writer.ts';

/** The fields of tokenizer.json that matter here. */
interface TokenizerJson {
  readonly normalizer?: unknown;
  readonly pre_tokenizer?: unknown;
  readonly post_processor?: unknown;
  readonly added_tokens?: readonly {
    readonly id: number;
    readonly content: string;
    readonly special: boolean;
  }[];
  readonly model?: {
    readonly type?: string;
    readonly vocab?: Readonly<Record<string, number>>;
    /** Two tokens with a blank between them, or as a pair. */
    readonly merges?: readonly (string | readonly [string, string])[];
    readonly byte_fallback?: boolean;
    readonly ignore_merges?: boolean;
  };
}

type SpecialToken = string | { readonly content: string } | null | undefined;

/** The fields of tokenizer_config.json that matter here. */
interface TokenizerSettings {
  readonly bos_token?: SpecialToken;
  readonly eos_token?: SpecialToken;
  readonly unk_token?: SpecialToken;
  readonly pad_token?: SpecialToken;
  readonly chat_template?: unknown;
}

/** A byte-level split without what changes no ids: `trim_offsets` is about places in the text. */
function simplify(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(simplify);
  if (typeof value !== 'object' || value === null) return value;
  const { trim_offsets: _offsets, ...rest } = value as Readonly<Record<string, unknown>>; // A JSON object.
  const entries = Object.entries(rest).map(([key, item]) => [key, simplify(item)] as const);
  const { type, pretokenizers } = Object.fromEntries(entries) as {
    readonly type?: unknown;
    readonly pretokenizers?: readonly unknown[];
  }; // Both may be absent.
  if (type === 'Sequence' && pretokenizers?.length === 1) return pretokenizers[0];
  return Object.fromEntries(entries);
}

/** llama.cpp's name of the way in which text is split before merging; undefined for one that it has no name for. */
function findSplitting({ normalizer, pre_tokenizer: pre, model }: TokenizerJson): string | undefined {
  const found = Object.entries(splittings).find(
    ([, known]) =>
      isDeepStrictEqual(simplify(known.preTokenizer), simplify(pre)) &&
      isDeepStrictEqual(known.normalizer, normalizer ?? null) &&
      known.ignoresMerges === (model?.ignore_merges ?? false),
  );
  return found?.[0];
}

/** Whether a text gets the token `id` before or after it. */
function isAdded(json: TokenizerJson, token: string | undefined): boolean {
  const { post_processor: post } = json;
  return token !== undefined && JSON.stringify(post ?? null).includes(`"id":${JSON.stringify(token)}`);
}

const contentOf = (token: SpecialToken): string | undefined =>
  typeof token === 'object' ? token?.content : token;

/** Tokens by id; ids that no token has, which pad the table, get names of their own, as llama.cpp's converter does. */
function listTokens(
  { model, added_tokens: added = [] }: TokenizerJson,
  size: number,
): { readonly tokens: readonly string[]; readonly kinds: readonly number[] } {
  const tokens = Array.from({ length: size }, (_, id) => `[PAD${id}]`);
  const kinds = tokens.map((): number => tokenKinds.unused);
  for (const [token, id] of Object.entries(model?.vocab ?? {})) {
    tokens[id] = token;
    kinds[id] = tokenKinds.normal;
  }
  for (const { id, content, special } of added) {
    tokens[id] = content;
    kinds[id] = special ? tokenKinds.control : tokenKinds.userDefined;
  }
  return { tokens, kinds };
}

function findTemplate(files: ReadonlyMap<string, string>, settings: TokenizerSettings): string | undefined {
  const { chat_template: given } = settings;
  return files.get('chat_template.jinja') ?? (typeof given === 'string' ? given : undefined);
}

/**
 * The metadata of a tokenizer.
 *
 * @throws ModelConfigError where GGUF has no way to say what the tokenizer does.
 */
export function makeTokenizerFields(
  files: ReadonlyMap<string, string>,
  vocabSize: number,
): ReadonlyMap<string, GgufField> {
  const json = JSON.parse(files.get('tokenizer.json') ?? '{}') as TokenizerJson; // Hugging Face's file.
  const settings = JSON.parse(files.get('tokenizer_config.json') ?? '{}') as TokenizerSettings; // Likewise.
  const splitting = findSplitting(json);
  const problems: string[] = [];
  if (json.model?.type !== 'BPE' || json.model.byte_fallback === true)
    problems.push(
      `Its tokenizer is of the kind ${JSON.stringify(json.model?.type)}; only byte-level merges can be written.`,
    );
  else if (splitting === undefined)
    problems.push(
      `It splits text in a way that GGUF has no name for here; ${Object.keys(splittings).join(', ')} have one.`,
    );
  const { tokens, kinds } = listTokens(json, vocabSize);
  if (tokens.length > vocabSize) problems.push('Its tokenizer has more tokens than the model.');
  if (problems.length > 0 || splitting === undefined) throw new ModelConfigError(problems, 'tokenizer.json');
  const special = (key: string, token: SpecialToken): readonly (readonly [string, GgufField])[] => {
    const id = tokens.indexOf(contentOf(token) ?? '');
    return id === -1 ? [] : [[`tokenizer.ggml.${key}_token_id`, { kind: 'u32', value: id }]];
  };
  const template = findTemplate(files, settings);
  const merges = (json.model?.merges ?? []).map((pair) => (typeof pair === 'string' ? pair : pair.join(' ')));
  const adds = (token: SpecialToken): GgufField => ({ kind: 'bool', value: isAdded(json, contentOf(token)) });
  return new Map<string, GgufField>([
    ['tokenizer.ggml.model', { kind: 'string', value: 'gpt2' }],
    ['tokenizer.ggml.pre', { kind: 'string', value: splitting }],
    ['tokenizer.ggml.tokens', { kind: 'strings', value: tokens }],
    ['tokenizer.ggml.token_type', { kind: 'i32s', value: kinds }],
    ['tokenizer.ggml.merges', { kind: 'strings', value: merges }],
    ...special('bos', settings.bos_token),
    ...special('eos', settings.eos_token),
    ...special('unknown', settings.unk_token),
    ...special('padding', settings.pad_token),
    ['tokenizer.ggml.add_bos_token', adds(settings.bos_token)],
    ...(isAdded(json, contentOf(settings.eos_token))
      ? ([['tokenizer.ggml.add_eos_token', adds(settings.eos_token)]] as const)
      : []),
    ['tokenizer.ggml.add_space_prefix', { kind: 'bool', value: false }],
    ...(template === undefined
      ? []
      : ([['tokenizer.chat_template', { kind: 'string', value: template }]] as const)),
  ]);
}
