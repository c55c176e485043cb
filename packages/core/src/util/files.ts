import { randomUUID } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';

/** The code of a file-system error, such as ENOENT; undefined for other errors. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** A file's text, or undefined where there is none. */
export function readTextIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** True when a file was last changed longer ago than this; false where there is none. */
export function isOlderThan(file: string, ageMs: number): boolean {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats !== undefined && Date.now() - stats.mtimeMs > ageMs;
}

/** Writes a file so that a crash leaves the old content or the new one, never a part. */
export function writeFileAtomically(
  file: string,
  content: string,
  options: { readonly isDurable?: boolean } = {},
): void {
  const temporary = `${file}.${randomUUID()}.partial`;
  try {
    writeOnce(temporary, content, options.isDurable === true);
    renameSync(temporary, file);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
}

function writeOnce(file: string, content: string, isDurable: boolean): void {
  let handle: number;
  try {
    handle = openSync(file, 'wx');
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    mkdirSync(dirname(file), { recursive: true });
    handle = openSync(file, 'wx');
  }
  try {
    writeSync(handle, content);
    if (isDurable) fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
