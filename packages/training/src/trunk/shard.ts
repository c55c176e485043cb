/**
 * One file of states: the texts' bytes, one after the other, then an index of them.
 *
 *   states … | index as JSON | length of the index (4 bytes, little-endian) | sha256 of the index | "JOYULTRK"
 *
 * The index holds the sha256 of the states, so that one flipped bit anywhere makes the file unreadable.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { link, open, rm, utimes } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

const magic = 'JOYULTRK';
const trailerBytes = 4 + 32 + magic.length;
const extension = '.states';
const readBytes = 1 << 23;

/** Whether a file of this name is a whole shard. */
export const isShardName = (name: string): boolean => name.endsWith(extension);

interface Index {
  readonly sha256: string;
  /** By text: where its states begin, and how many bytes they are. */
  readonly texts: Readonly<Record<string, readonly [offset: number, length: number]>>;
}

const sha256Of = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** The index at the end of a file, or undefined when it is not as it was written. */
async function readIndex(
  handle: FileHandle,
  sizeBytes: number,
): Promise<{ readonly index: Index; readonly stateBytes: number } | undefined> {
  if (sizeBytes < trailerBytes) return undefined;
  const trailer = Buffer.alloc(trailerBytes);
  await handle.read(trailer, 0, trailerBytes, sizeBytes - trailerBytes);
  const indexBytes = trailer.readUInt32LE(0);
  const stateBytes = sizeBytes - trailerBytes - indexBytes;
  if (trailer.toString('latin1', 36) !== magic || stateBytes < 0) return undefined;
  const text = Buffer.alloc(indexBytes);
  await handle.read(text, 0, indexBytes, stateBytes);
  if (!sha256Of(text).equals(trailer.subarray(4, 36))) return undefined;
  return { index: JSON.parse(text.toString()) as Index, stateBytes }; // Written by ShardWriter, as its digest says.
}

/** Files whose states were read and compared in this process, by their inode and size. */
const verified = new Set<string>();

/** A shard that is open: a clean-up that removes its name takes nothing away from it. */
export class Shard {
  readonly file: string;
  readonly stateBytes: number;
  readonly #handle: FileHandle;
  readonly #index: Index;
  readonly #identity: string;
  #content: Buffer | undefined;

  private constructor(file: string, handle: FileHandle, index: Index, at: readonly [number, string]) {
    this.file = file;
    this.#handle = handle;
    this.#index = index;
    [this.stateBytes, this.#identity] = at;
  }

  /** Opens a file; undefined when it is damaged or gone. Its time of change becomes that of its last use. */
  static async open(file: string): Promise<Shard | undefined> {
    const handle = await open(file, 'r').catch(() => undefined);
    if (handle === undefined) return undefined;
    const { size, ino } = await handle.stat();
    const found = await readIndex(handle, size).catch(() => undefined);
    if (found === undefined) {
      await handle.close();
      return undefined;
    }
    const now = new Date();
    await utimes(file, now, now).catch(() => undefined); // A read-only store works, too.
    return new Shard(file, handle, found.index, [found.stateBytes, `${ino}:${size}:${found.index.sha256}`]);
  }

  get texts(): readonly string[] {
    return Object.keys(this.#index.texts);
  }

  /** Where a text's states lie. */
  find(text: string): readonly [offset: number, length: number] | undefined {
    return this.#index.texts[text];
  }

  /** Reads all states and compares their digest, once a process; `keep` holds them in memory. */
  async verify(keep: boolean): Promise<boolean> {
    if (this.#content !== undefined || (!keep && verified.has(this.#identity))) return true;
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(keep ? this.stateBytes : Math.min(readBytes, this.stateBytes));
    for (let at = 0; at < this.stateBytes;) {
      const start = keep ? at : 0;
      const wanted = Math.min(readBytes, this.stateBytes - at);
      const { bytesRead } = await this.#handle.read(buffer, start, wanted, at);
      if (bytesRead === 0) return false;
      hash.update(buffer.subarray(start, start + bytesRead));
      at += bytesRead;
    }
    if (hash.digest('hex') !== this.#index.sha256) return false;
    verified.add(this.#identity);
    if (keep) this.#content = buffer;
    return true;
  }

  /** Copies states into a buffer; at once where they are in memory. */
  async read(target: Uint8Array, at: number, offset: number, length: number): Promise<void> {
    if (this.#content !== undefined) {
      target.set(this.#content.subarray(offset, offset + length), at);
      return;
    }
    const { bytesRead } = await this.#handle.read(target, at, length, offset);
    if (bytesRead < length) throw new Error(`${this.file} was cut off while it was being read.`);
  }

  async close(): Promise<void> {
    this.#content = undefined;
    await this.#handle.close();
  }
}

/** Writes one shard, never holding more than one batch of it. */
export class ShardWriter {
  readonly #dir: string;
  readonly #partial: string;
  readonly #handle: FileHandle;
  readonly #hash: Hash = createHash('sha256');
  readonly #texts: Record<string, readonly [number, number]> = {};
  #bytes = 0;

  private constructor(dir: string, partial: string, handle: FileHandle) {
    this.#dir = dir;
    this.#partial = partial;
    this.#handle = handle;
  }

  static async create(dir: string): Promise<ShardWriter> {
    const partial = join(dir, `${process.pid}-${randomUUID()}.partial`);
    return new ShardWriter(dir, partial, await open(partial, 'wx'));
  }

  get sizeBytes(): number {
    return this.#bytes;
  }

  /** Appends the states of one text. */
  async add(text: string, states: Uint8Array): Promise<void> {
    this.#texts[text] = [this.#bytes, states.length];
    this.#hash.update(states);
    this.#bytes += states.length;
    await this.#handle.write(states);
  }

  /** Gives the file its name, which follows from its content: of two writers of the same, the first wins. */
  async finish(): Promise<string> {
    const index: Index = { sha256: this.#hash.digest('hex'), texts: this.#texts };
    const text = Buffer.from(JSON.stringify(index));
    const digest = sha256Of(text);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(text.length);
    await this.#handle.write(Buffer.concat([text, length, digest, Buffer.from(magic)]));
    await this.#handle.close();
    const file = join(this.#dir, `${digest.toString('hex').slice(0, 32)}${extension}`);
    try {
      await link(this.#partial, file);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
    await rm(this.#partial, { force: true });
    return file;
  }

  /** Throws away what was written. */
  async cancel(): Promise<void> {
    await this.#handle.close();
    await rm(this.#partial, { force: true });
  }
}
