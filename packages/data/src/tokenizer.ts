import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A text as token ids. */
export interface EncodedText {
  /** With the model's own first and last tokens, at most `maxLength`. */
  readonly ids: Int32Array;
  /** Tokens before anything was cut off. */
  readonly fullLength: number;
}

/** Turns text into the ids of a model; training, evaluation, export and serving all use this one. */
export interface Tokenizer {
  /** Digest of the tokenizer's files: equal digests give equal ids. */
  readonly digest: string;
  readonly padId: number;
  encode(text: string, maxLength: number): EncodedText;
  /** Tokens of a whole text, with the model's own; texts are looked at up to 8,192 tokens. */
  countTokens(text: string): number;
  decode(ids: readonly number[]): string;
}

/** Characters that are looked at for each token kept: longer texts are cut first, which saves time and never changes the ids kept. */
const charactersPerToken = 24;

const maxCounted = 8192;

/** Opens the tokenizer in a model folder. */
export async function openTokenizer(dir: string): Promise<Tokenizer> {
  const file = join(dir, 'tokenizer.json');
  const content = await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new Error(`There is no tokenizer.json in ${dir}.`, { cause });
  });
  const settings = await readFile(join(dir, 'tokenizer_config.json'), 'utf8').catch(() => '{}');
  const { Tokenizer: HuggingFaceTokenizer } = await import('@huggingface/tokenizers');
  // Length is ours to decide, so the file's own truncation and padding are left out.
  const json = { ...(JSON.parse(content) as Record<string, unknown>), truncation: null, padding: null };
  const config = JSON.parse(settings) as { readonly pad_token?: string | { readonly content: string } }; // Hugging Face's field.
  const inner = new HuggingFaceTokenizer(json, config);
  const padToken =
    typeof config.pad_token === 'object' ? config.pad_token.content : (config.pad_token ?? '[PAD]');
  const special = inner.encode('').ids;
  return {
    digest: createHash('sha256').update(content).update('\0').update(settings).digest('hex'),
    padId: inner.token_to_id(padToken) ?? 0,
    encode(text, maxLength) {
      const { ids } = inner.encode(text.slice(0, maxLength * charactersPerToken));
      if (ids.length <= maxLength) return { ids: Int32Array.from(ids), fullLength: ids.length };
      // The last tokens that the model adds stay last, as in Hugging Face's truncation.
      const tail = special.length > 1 ? special.slice(1) : [];
      return {
        ids: Int32Array.from([...ids.slice(0, maxLength - tail.length), ...tail]),
        fullLength: ids.length,
      };
    },
    countTokens: (text) => inner.encode(text.slice(0, maxCounted * charactersPerToken)).ids.length,
    decode: (ids) => inner.decode([...ids], { skip_special_tokens: true }),
  };
}
