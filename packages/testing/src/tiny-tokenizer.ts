import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Special tokens as tokenizer.json lists them, with ids from 0. */
export const listSpecialTokens = (contents: readonly string[]): readonly unknown[] =>
  contents.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));

/** Writes a tokenizer's files into a folder beside a model's, where its writer can take them from. */
export async function writeTokenizer(dir: string, tokenizer: unknown, settings: unknown): Promise<string> {
  const source = `${dir}-tokenizer`;
  await mkdir(source, { recursive: true });
  await writeFile(join(source, 'tokenizer.json'), JSON.stringify(tokenizer));
  await writeFile(join(source, 'tokenizer_config.json'), JSON.stringify(settings));
  return source;
}
