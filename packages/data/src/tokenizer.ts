import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';

/** A text as token ids. */
export interface EncodedText {
  /** With the model's own first and last tokens, at most `maxLength`. */
  readonly ids: Int32Array;
  /** Tokens before anything was cut off; where much was cut off, at least so many. */
  readonly fullLength: number;
  /** True when the text has more tokens than `ids`. */
  readonly isTruncated: boolean;
}

/** Turns text into the ids of a model; training, evaluation, export and serving all use this one. */
export interface Tokenizer {
  /** Digest of the tokenizer's files: equal digests give equal ids. */
  readonly digest: string;
  readonly padId: number;
  /** The token that ends a text or a reply; absent where the model has none. */
  readonly endId: number | undefined;
  /** The token that stands for a masked word; absent where the model has none. */
  readonly maskId: number | undefined;
  /** Tokens that are no words, such as those around a text. */
  readonly specialIds: ReadonlySet<number>;
  /** Tokens that the model puts before every text. */
  readonly firstIds: readonly number[];
  encode(text: string, maxLength: number): EncodedText;
  /** All tokens of a text that has its special tokens written into it: none are added. */
  encodePlain(text: string): readonly number[];
  /** Tokens of a whole text, with the model's own. */
  countTokens(text: string): number;
  /** The text of tokens, without special ones. */
  decode(ids: readonly number[]): string;
  /** The text of tokens, special ones and all. */
  decodeAll(ids: readonly number[]): string;
}

/** Where a long text is cut first, in characters for each token wanted: few words have so many characters a token. */
const charactersPerToken = 8;

/** A cut must leave words whole, for the ids before it to stay the same; this far back a blank is looked for. */
const cutSearch = 256;

/** The start of a text that surely gives its first ids, or the whole text where that cannot be told. */
function cutAtBlank(text: string, length: number): string {
  if (text.length <= length) return text;
  for (let at = length; at > Math.max(1, length - cutSearch); at--) {
    const isBetweenWords = /\s/.test(text[at] ?? '') && /\S/.test(text[at - 1] ?? '');
    if (isBetweenWords) return text.slice(0, at);
  }
  return text;
}

/** Tokens that the model adds before and after every text. */
function findAdded(inner: HuggingFaceTokenizer): {
  readonly before: readonly number[];
  readonly after: readonly number[];
} {
  const probe = 'a';
  const whole = inner.encode(probe).ids;
  const plain = inner.encode(probe, { add_special_tokens: false }).ids;
  const before = Math.max(0, whole.indexOf(plain[0] ?? -1));
  return { before: whole.slice(0, before), after: whole.slice(before + plain.length) };
}

/** The ids that tokenizer.json marks as special. */
function findSpecial(json: Readonly<Record<string, unknown>>): ReadonlySet<number> {
  const tokens = (json['added_tokens'] ?? []) as readonly { id: number; special?: boolean }[]; // Hugging Face's format.
  return new Set(tokens.filter(({ special }) => special === true).map(({ id }) => id));
}

/** True where the tokenizer makes text lower case. */
function isLowercasing(json: Record<string, unknown>): boolean {
  return /"type":"Lowercase"|"lowercase":true/.test(JSON.stringify(json['normalizer'] ?? null));
}

/** `tokenizer.json` and `tokenizer_config.json`. */
async function readFiles(
  from: string | ReadonlyMap<string, string>,
): Promise<{ readonly content: string; readonly settings: string }> {
  if (typeof from === 'string') {
    const content = await readFile(join(from, 'tokenizer.json'), 'utf8').catch((cause: unknown) => {
      throw new Error(`There is no tokenizer.json in ${from}.`, { cause });
    });
    const settings = await readFile(join(from, 'tokenizer_config.json'), 'utf8').catch(() => '{}');
    return { content, settings };
  }
  const content = from.get('tokenizer.json');
  if (content === undefined) throw new Error('The model has no tokenizer.json.');
  return { content, settings: from.get('tokenizer_config.json') ?? '{}' };
}

type SpecialToken = string | { readonly content: string };

interface TokenizerConfig {
  readonly pad_token?: SpecialToken;
  readonly eos_token?: SpecialToken;
  readonly mask_token?: SpecialToken;
}

/** Opens the tokenizer in a model folder, or one whose files are in memory, by name. */
export async function openTokenizer(from: string | ReadonlyMap<string, string>): Promise<Tokenizer> {
  const { content, settings } = await readFiles(from);
  const { Tokenizer: HuggingFaceTokenizer } = await import('@huggingface/tokenizers');
  // Length is ours to decide, so the file's own truncation and padding are left out.
  const json = { ...(JSON.parse(content) as Record<string, unknown>), truncation: null, padding: null };
  const config = JSON.parse(settings) as TokenizerConfig; // Hugging Face's field.
  const tokenizer = new HuggingFaceTokenizer(json, config);
  // JavaScript writes a last sigma as ς, the tokenizers that models were trained with do not.
  const evenCase = isLowercasing(json) ? (text: string) => text.replaceAll('Σ', 'σ') : (text: string) => text;
  const encodeAll = (text: string): readonly number[] => tokenizer.encode(evenCase(text)).ids;
  const idOf = (token: SpecialToken | null | undefined): number | undefined =>
    token === undefined || token === null
      ? undefined
      : tokenizer.token_to_id(typeof token === 'string' ? token : token.content);
  const added = findAdded(tokenizer);
  const decode = (ids: readonly number[], skipsSpecial: boolean): string =>
    ids.length === 0 ? '' : tokenizer.decode([...ids], { skip_special_tokens: skipsSpecial });
  return {
    digest: createHash('sha256').update(content).update('\0').update(settings).digest('hex'),
    padId: idOf(config.pad_token ?? '[PAD]') ?? 0,
    endId: idOf(config.eos_token),
    maskId: idOf(config.mask_token ?? '[MASK]'),
    specialIds: findSpecial(json),
    firstIds: added.before,
    encode(text, maxLength) {
      if (maxLength <= added.before.length + added.after.length)
        throw new Error(`A length of ${maxLength} tokens leaves no room for the text.`);
      let start = cutAtBlank(text, maxLength * charactersPerToken);
      let ids = encodeAll(start);
      while (ids.length <= maxLength && start.length < text.length) {
        start = cutAtBlank(text, start.length * 4);
        ids = encodeAll(start);
      }
      if (ids.length <= maxLength)
        return { ids: Int32Array.from(ids), fullLength: ids.length, isTruncated: false };
      // The last tokens that the model adds stay last, as in Hugging Face's truncation.
      const kept = ids.slice(0, maxLength - added.after.length);
      return { ids: Int32Array.from([...kept, ...added.after]), fullLength: ids.length, isTruncated: true };
    },
    encodePlain: (text) => tokenizer.encode(evenCase(text), { add_special_tokens: false }).ids,
    countTokens: (text) => encodeAll(text).length,
    decode: (ids) => decode(ids, true),
    decodeAll: (ids) => decode(ids, false),
  };
}
