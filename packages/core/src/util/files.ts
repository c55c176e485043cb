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

/** Paths of files under a folder, in code-unit order, with forward slashes. */
export function listFiles(fs: FileSystem, folder: string): readonly string[] {
  const found: string[] = [];
  const visit = (prefix: string): void => {
    for (const { name, kind } of fs.list(prefix === '' ? folder : `${folder}/${prefix}`)) {
      const path = prefix === '' ? name : `${prefix}/${name}`;
      if (kind === 'folder') visit(path);
      else if (kind === 'file') found.push(path);
    }
  };
  visit('');
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
