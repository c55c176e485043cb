import { dirname } from 'node:path';
import type { FileSystem } from './file-system.ts';
import { checksumLength, checksumOf } from './hash.ts';

/** The code of a file-system error, such as ENOENT; undefined for other errors. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Bytes as text, without loading what encodings need. */
const decode = ({ buffer, byteOffset, length }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, length).toString();

/** A file's text, or undefined where there is none. */
export function readTextIfThere(fs: FileSystem, file: string): string | undefined {
  try {
    return fs.readText(file);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Makes what was not there and does it again; folders are made when they are first needed. */
export function withFolderOf<T>(fs: FileSystem, file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    fs.makeFolder(dirname(file));
    return work();
  }
}

const series = Math.floor(Math.random() * 36 ** 9).toString(36);
let count = 0;

/** A name that no other process and no earlier call has. */
export const makeUniqueName = (): string => `${process.pid}-${series}-${(count++).toString(36)}`;

/** The name under which a file is written before it is whole. */
export const partialNameOf = (file: string): string => `${file}.${makeUniqueName()}.partial`;

/** Puts a file in its place by a rename, also where a folder lies by mistake. */
export function replaceFile(fs: FileSystem, from: string, to: string): void {
  try {
    fs.rename(from, to);
  } catch (error) {
    if (codeOf(error) !== 'EISDIR') throw error;
    fs.remove(to);
    fs.rename(from, to);
  }
}

/** Writes a file so that whoever reads it finds the old content or the new one, never a part. */
export function writeFileAtomically(fs: FileSystem, file: string, content: string | Uint8Array): void {
  const temporary = partialNameOf(file);
  try {
    writeFile(fs, temporary, content);
    replaceFile(fs, temporary, file);
  } catch (error) {
    fs.remove(temporary);
    throw error;
  }
}

/** Writes a file that is not there yet. */
export function writeFile(fs: FileSystem, file: string, content: string | Uint8Array, mode?: number): void {
  const handle = withFolderOf(fs, file, () => fs.open(file, 'wx', mode));
  try {
    fs.write(handle, typeof content === 'string' ? Buffer.from(content) : content);
  } finally {
    fs.close(handle);
  }
}

/** Inodes of a folder and of those on the way to one inside it. */
function inodesOf(fs: FileSystem, folder: string, prefix: string): readonly number[] {
  const parts = prefix === '' ? [] : prefix.split('/');
  const paths = [folder, ...parts.map((_, index) => `${folder}/${parts.slice(0, index + 1).join('/')}`)];
  return paths.map((path) => fs.stat(path)?.inode ?? 0);
}

/**
 * Paths of files under a folder, in code-unit order, with forward slashes.
 *
 * Links count as what they lead to: data often lies elsewhere. One that leads back to a folder that it is in is left out.
 */
export function listFiles(fs: FileSystem, folder: string): readonly string[] {
  const found: string[] = [];
  const visit = (prefix: string, above: readonly number[]): void => {
    for (const { name, kind: listed } of fs.list(prefix === '' ? folder : `${folder}/${prefix}`)) {
      const path = prefix === '' ? name : `${prefix}/${name}`;
      const facts = listed === 'other' ? fs.stat(`${folder}/${path}`) : undefined;
      const kind = facts?.kind ?? listed;
      if (kind === 'file') found.push(path);
      if (kind !== 'folder') continue;
      const inode = facts?.inode;
      // Only below a link can there be a way back.
      if (inode === undefined && above.length === 0) visit(path, above);
      else {
        const own = inode ?? fs.stat(`${folder}/${path}`)?.inode ?? 0;
        const all = above.length > 0 ? above : inodesOf(fs, folder, prefix);
        if (!all.includes(own)) visit(path, [...all, own]);
      }
    }
  };
  visit('', []);
  return found.sort((left, right) => (left < right ? -1 : 1));
}

/** Writes a text with a checksum in front, for {@link readChecked}. */
export function writeChecked(fs: FileSystem, file: string, text: string): void {
  const bytes = Buffer.from(text);
  const whole = new Uint8Array(checksumLength + bytes.length);
  whole.set(Buffer.from(checksumOf(bytes)));
  whole.set(bytes, checksumLength);
  writeFileAtomically(fs, file, whole);
}

/** The text of a file that {@link writeChecked} wrote; undefined where there is none, or where it is damaged. */
export function readChecked(fs: FileSystem, file: string): string | undefined {
  try {
    const whole = fs.readBytes(file);
    const bytes = whole.subarray(checksumLength);
    const isWhole = decode(whole.subarray(0, checksumLength)) === checksumOf(bytes);
    return isWhole ? decode(bytes) : undefined;
  } catch {
    return undefined; // Such files only save time.
  }
}
