import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { WeightsError } from './weights-error.ts';

/** The GGUF file that a path means: itself, or the one in a folder without `config.json`; undefined for Hugging Face's folders. */
export async function findGguf(path: string): Promise<string | undefined> {
  if ((await stat(path)).isFile()) return path;
  const names = await readdir(path);
  if (names.includes('config.json')) return undefined;
  const files = names.filter((name) => name.endsWith('.gguf')).sort();
  if (files.length > 1)
    throw new WeightsError(
      path,
      `the folder has several models: ${files.join(', ')}. Name one of the files.`,
    );
  return files[0] === undefined ? undefined : join(path, files[0]);
}
