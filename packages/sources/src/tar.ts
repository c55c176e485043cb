import { createReadStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { resolveInside } from './paths.ts';

const blockBytes = 512;

/** Gives a stream's bytes in pieces of the sizes that are asked for. */
class ByteReader {
  readonly #iterator: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Buffer>) {
    this.#iterator = stream[Symbol.asyncIterator]();
  }

  /** Up to `length` bytes, whatever is at hand; empty at the end. */
  async some(length: number): Promise<Buffer> {
    if (this.#rest.length === 0) {
      const { done, value } = await this.#iterator.next();
      if (done === true) return Buffer.alloc(0);
      this.#rest = value;
    }
    const piece = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(piece.length);
    return piece;
  }

  /** Passes over `length` bytes. */
  async skip(length: number): Promise<void> {
    let missing = length;
    while (missing > 0) {
      const piece = await this.some(missing);
      if (piece.length === 0) return;
      missing -= piece.length;
    }
  }

  /** Exactly `length` bytes, or fewer at the end of the stream. */
  async exactly(length: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    let missing = length;
    while (missing > 0) {
      const piece = await this.some(missing);
      if (piece.length === 0) break;
      pieces.push(piece);
      missing -= piece.length;
    }
    return Buffer.concat(pieces);
  }
}

const text = (block: Buffer, start: number, length: number): string => {
  const end = block.indexOf(0, start);
  return block.toString('utf8', start, end === -1 || end > start + length ? start + length : end);
};

/** A tar number: octal text, or base 256 where the first bit is set (GNU). */
function parseSize(block: Buffer): number {
  if (((block[124] ?? 0) & 0x80) !== 0) return Number(block.readBigUInt64BE(128));
  return Number.parseInt(text(block, 124, 12).trim() || '0', 8);
}

/** True where the header's own checksum holds: the sum of its bytes, its own field counted as blanks. */
function isHeader(block: Buffer): boolean {
  const stated = Number.parseInt(text(block, 148, 8).trim(), 8);
  const sum = block.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 0x20 : byte), 0);
  return sum === stated;
}

/** The `path` record of a pax header, as POSIX.1-2001 defines it: `length key=value\n`. */
function parsePaxPath(data: Buffer): string | undefined {
  let at = 0;
  while (at < data.length) {
    const space = data.indexOf(0x20, at);
    if (space === -1) return undefined;
    const length = Number(data.toString('ascii', at, space));
    if (!Number.isInteger(length) || length <= 0) return undefined;
    const [key = '', ...value] = data.toString('utf8', space + 1, at + length - 1).split('=');
    if (key === 'path') return value.join('=');
    at += length;
  }
  return undefined;
}

async function writeMember(reader: ByteReader, size: number, target: string): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const output = await open(target, 'w');
  try {
    let missing = size;
    while (missing > 0) {
      const piece = await reader.some(missing);
      if (piece.length === 0) throw new Error('The tar archive ends too early.');
      missing -= piece.length;
      await output.write(piece);
    }
  } finally {
    await output.close();
  }
}

async function isGzip(archive: string): Promise<boolean> {
  const file = await open(archive);
  try {
    const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return buffer[0] === 0x1f && buffer[1] === 0x8b;
  } finally {
    await file.close();
  }
}

/** A read error has to reach the reader; `pipe` alone would drop it. */
function gunzip(raw: Readable): Readable {
  const unzipped = createGunzip();
  raw.on('error', (error) => unzipped.destroy(error));
  return raw.pipe(unzipped);
}

/** Extracts the regular files of a tar archive, gzipped or not; links and devices are left out. */
export async function extractTar(archive: string, folder: string): Promise<void> {
  const raw = createReadStream(archive);
  const stream: AsyncIterable<Buffer> = (await isGzip(archive)) ? gunzip(raw) : raw;
  const reader = new ByteReader(stream);
  let longName: string | undefined;
  for (;;) {
    const block = await reader.exactly(blockBytes);
    if (block.length === 0 || block.every((byte) => byte === 0)) break;
    if (block.length < blockBytes || !isHeader(block))
      throw new Error('This is not a tar archive, or it is damaged.');
    const size = parseSize(block);
    const padding = (blockBytes - (size % blockBytes)) % blockBytes;
    const type = String.fromCharCode(block[156] ?? 0);
    if (type === 'x' || type === 'L') {
      const data = await reader.exactly(size);
      longName = type === 'x' ? (parsePaxPath(data) ?? longName) : text(data, 0, data.length);
    } else if (type === '0' || type === '\0') {
      const prefix = text(block, 345, 155);
      const name = longName ?? (prefix === '' ? text(block, 0, 100) : `${prefix}/${text(block, 0, 100)}`);
      longName = undefined;
      await writeMember(reader, size, resolveInside(folder, name));
    } else {
      // `K` (a long link name) may stand between a long name and its member.
      if (type !== 'K' && type !== 'g') longName = undefined;
      await reader.skip(size);
    }
    await reader.exactly(padding);
  }
  raw.destroy();
}
