import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';
import { resolveInside } from './paths.ts';

/** One file of a zip archive. */
interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly compressedBytes: number;
  readonly headerOffset: number;
}

const endSignature = 0x06054b50;
const end64Signature = 0x06064b50;
const end64LocatorSignature = 0x07064b50;
const entrySignature = 0x02014b50;
const localSignature = 0x04034b50;
const max32 = 0xffffffff;

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  if (bytesRead !== length) throw new Error('The zip archive ends too early.');
  return buffer;
}

/** Finds the central directory; the layout is that of PKWARE's APPNOTE, sections 4.3.14 to 4.3.16. */
async function findDirectory(file: FileHandle): Promise<{ offset: number; length: number; count: number }> {
  const { size } = await file.stat();
  const tailLength = Math.min(size, 65_557);
  const tail = await readAt(file, size - tailLength, tailLength);
  for (let at = tail.length - 22; at >= 0; at--) {
    if (tail.readUInt32LE(at) !== endSignature) continue;
    const count = tail.readUInt16LE(at + 10);
    const length = tail.readUInt32LE(at + 12);
    const offset = tail.readUInt32LE(at + 16);
    if (offset !== max32 && count !== 0xffff) return { offset, length, count };
    if (at < 20 || tail.readUInt32LE(at - 20) !== end64LocatorSignature) break;
    const record = await readAt(file, Number(tail.readBigUInt64LE(at - 20 + 8)), 56);
    if (record.readUInt32LE(0) !== end64Signature) break;
    return {
      count: Number(record.readBigUInt64LE(32)),
      length: Number(record.readBigUInt64LE(40)),
      offset: Number(record.readBigUInt64LE(48)),
    };
  }
  throw new Error('This is not a zip archive: its directory is missing.');
}

async function readDirectory(file: FileHandle): Promise<ZipEntry[]> {
  const { offset, length, count } = await findDirectory(file);
  const directory = await readAt(file, offset, length);
  const entries: ZipEntry[] = [];
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (directory.readUInt32LE(at) !== entrySignature) throw new Error('The zip directory is damaged.');
    const nameLength = directory.readUInt16LE(at + 28);
    const extraLength = directory.readUInt16LE(at + 30);
    const commentLength = directory.readUInt16LE(at + 32);
    const compressedBytes = directory.readUInt32LE(at + 20);
    const headerOffset = directory.readUInt32LE(at + 42);
    if (compressedBytes === max32 || headerOffset === max32) {
      throw new Error('Zip archives with members above 4 GiB are not supported.');
    }
    entries.push({
      name: directory.toString('utf8', at + 46, at + 46 + nameLength),
      method: directory.readUInt16LE(at + 10),
      compressedBytes,
      headerOffset,
    });
    at += 46 + nameLength + extraLength + commentLength;
  }
  return entries;
}

async function extractEntry(
  archive: string,
  file: FileHandle,
  entry: ZipEntry,
  target: string,
): Promise<void> {
  const header = await readAt(file, entry.headerOffset, 30);
  if (header.readUInt32LE(0) !== localSignature) throw new Error(`The zip member ${entry.name} is damaged.`);
  const start = entry.headerOffset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  await mkdir(dirname(target), { recursive: true });
  const output = createWriteStream(target);
  const input =
    entry.compressedBytes === 0
      ? Readable.from([])
      : createReadStream(archive, { start, end: start + entry.compressedBytes - 1 });
  if (entry.method === 0) await pipeline(input, output);
  else if (entry.method === 8) await pipeline(input, createInflateRaw(), output);
  else
    throw new Error(
      `The zip member ${entry.name} uses compression method ${entry.method}, which is not supported.`,
    );
}

/**
 * Extracts a zip archive (or a wheel) into a folder.
 *
 * `wanted` gets each member's name and keeps it by returning true; absent means all.
 * Names that would leave the folder are refused.
 */
export async function extractZip(
  archive: string,
  folder: string,
  wanted: (name: string) => boolean = () => true,
): Promise<void> {
  const file = await open(archive);
  try {
    for (const entry of await readDirectory(file)) {
      if (entry.name.endsWith('/') || !wanted(entry.name)) continue;
      await extractEntry(archive, file, entry, resolveInside(folder, entry.name));
    }
  } finally {
    await file.close();
  }
}
