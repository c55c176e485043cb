import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { nodeFileSystem } from '../util/file-system.ts';
import { partialNameOf, readTextIfThere as readText } from '../util/files.ts';

/** A file's text, or undefined where there is none. */
export const readTextIfThere = (file: string): string | undefined => readText(nodeFileSystem, file);

/** True when a file was last changed longer ago than this; false where there is none. */
export function isOlderThan(file: string, ageMs: number): boolean {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats !== undefined && Date.now() - stats.mtimeMs > ageMs;
}

/** Writes a file so that a crash leaves the old content or the new one; a durable one outlasts a power failure at once. */
export function writeFileAtomically(
  file: string,
  content: string,
  options: { readonly isDurable?: boolean } = {},
): void {
  const temporary = partialNameOf(file);
  mkdirSync(dirname(file), { recursive: true });
  try {
    const handle = openSync(temporary, 'wx');
    try {
      writeSync(handle, content);
      if (options.isDurable === true) fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}
