import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readGgufHeader } from './gguf/gguf-file.ts';
import { makeTokenizerFiles } from './gguf/gguf-tokenizer.ts';
import { findGguf } from './model-places.ts';

const tokenizerFiles =
  /^(?:tokenizer.*\.json|special_tokens_map\.json|vocab\.(?:txt|json)|merges\.txt|added_tokens\.json|chat_template\.jinja)$/;

/** The tokenizer's files of a model folder or a GGUF file, by name; a GGUF's are made from its metadata. */
export async function readTokenizerFiles(path: string): Promise<ReadonlyMap<string, string>> {
  const gguf = await findGguf(path);
  if (gguf !== undefined) return makeTokenizerFiles(gguf, await readGgufHeader(gguf));
  const names = (await readdir(path)).filter((name) => tokenizerFiles.test(name)).sort();
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(path, name), 'utf8')] as const)),
  );
}

/** Writes a model's tokenizer files into another folder, so that it opens on its own. */
export async function copyTokenizer(from: string, to: string): Promise<void> {
  for (const [name, content] of await readTokenizerFiles(from)) await writeFile(join(to, name), content);
}
