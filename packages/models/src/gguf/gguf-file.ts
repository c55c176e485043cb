/**
 * Reads GGUF files, llama.cpp's container: a header, metadata by key, the tensors' places, then their bytes.
 */
import { open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { countElements } from '../tensors.ts';
import { WeightsError } from '../weights-error.ts';
import { ggufTypes } from './gguf-types.ts';
import type { GgufType } from './gguf-types.ts';

/** A value of the metadata; 64-bit whole numbers become doubles. */
export type GgufValue = number | boolean | string | readonly GgufValue[];

/** Where a tensor lies in a file, and how its numbers are packed. */
export interface GgufTensor {
  readonly name: string;
  /** Slowest first, as in safetensors; the file has them the other way around. */
  readonly shape: readonly number[];
  readonly type: GgufType;
  /** From the start of the file. */
  readonly offset: number;
  readonly sizeBytes: number;
}

/** What a file says before its tensors' bytes. */
export interface GgufHeader {
  readonly metadata: ReadonlyMap<string, GgufValue>;
  readonly tensors: readonly GgufTensor[];
}

/** The bytes at hand end before the value does. */
class EndOfBytes extends Error {}

const magic = 0x46554747; // "GGUF"
const maxNesting = 4;

/** Reads values one after the other; all are little-endian. */
class Reader {
  offset = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  #take(length: number): number {
    const start = this.offset;
    if (start + length > this.#bytes.length) throw new EndOfBytes();
    this.offset = start + length;
    return start;
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }

  u64(): number {
    return Number(this.#bytes.readBigUInt64LE(this.#take(8)));
  }

  string(): string {
    const length = this.u64();
    const start = this.#take(length);
    return this.#bytes.toString('utf8', start, start + length);
  }

  /** A value of a type of GGUF's list; undefined for a type that is not on it. */
  value(type: number, nesting = 0): GgufValue | undefined {
    const bytes = this.#bytes;
    switch (type) {
      case 0:
        return bytes.readUInt8(this.#take(1));
      case 1:
        return bytes.readInt8(this.#take(1));
      case 2:
        return bytes.readUInt16LE(this.#take(2));
      case 3:
        return bytes.readInt16LE(this.#take(2));
      case 4:
        return this.u32();
      case 5:
        return bytes.readInt32LE(this.#take(4));
      case 6:
        return bytes.readFloatLE(this.#take(4));
      case 7:
        return bytes.readUInt8(this.#take(1)) !== 0;
      case 8:
        return this.string();
      case 9:
        return nesting < maxNesting ? this.#list(nesting + 1) : undefined;
      case 10:
        return this.u64();
      case 11:
        return Number(bytes.readBigInt64LE(this.#take(8)));
      case 12:
        return bytes.readDoubleLE(this.#take(8));
      default:
        return undefined;
    }
  }

  #list(nesting: number): readonly GgufValue[] | undefined {
    const type = this.u32();
    const length = this.u64();
    const values: GgufValue[] = [];
    for (let index = 0; index < length; index++) {
      const value = this.value(type, nesting);
      if (value === undefined) return undefined;
      values.push(value);
    }
    return values;
  }
}

interface Place {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: number;
  readonly offset: number;
}

function parseHeader(
  file: string,
  reader: Reader,
): { readonly metadata: ReadonlyMap<string, GgufValue>; readonly places: readonly Place[] } {
  if (reader.u32() !== magic) throw new WeightsError(file, 'this is not a GGUF file.');
  const version = reader.u32();
  if (version !== 2 && version !== 3)
    throw new WeightsError(file, `this is GGUF version ${version}; 2 and 3 little-endian can be read.`);
  const tensorCount = reader.u64();
  const valueCount = reader.u64();
  const metadata = new Map<string, GgufValue>();
  for (let index = 0; index < valueCount; index++) {
    const key = reader.string();
    const type = reader.u32();
    const value = reader.value(type);
    if (value === undefined) throw new WeightsError(file, `${key} has the unknown type ${type}.`);
    metadata.set(key, value);
  }
  const places: Place[] = [];
  for (let index = 0; index < tensorCount; index++) {
    const name = reader.string();
    const rank = reader.u32();
    if (rank > 8) throw new WeightsError(file, `the tensor ${name} has ${rank} dimensions.`);
    const shape = Array.from({ length: rank }, () => reader.u64()).reverse();
    places.push({ name, shape, type: reader.u32(), offset: reader.u64() });
  }
  return { metadata, places };
}

function locate(file: string, place: Place, dataStart: number, fileBytes: number): GgufTensor {
  const { name, shape } = place;
  const type = ggufTypes.get(place.type);
  if (type === undefined)
    throw new WeightsError(
      file,
      `the tensor ${name} is packed in a way that cannot be read (type ${place.type}); ${[
        ...ggufTypes.values(),
      ]
        .map((known) => known.name)
        .join(', ')} can.`,
    );
  const elements = countElements(shape);
  if ((shape.at(-1) ?? 1) % type.blockLength !== 0)
    throw new WeightsError(
      file,
      `the tensor ${name} has rows of ${shape.at(-1)} numbers, which are no whole blocks of ${type.name}.`,
    );
  const sizeBytes = (elements / type.blockLength) * type.blockBytes;
  const offset = dataStart + place.offset;
  if (!(offset + sizeBytes <= fileBytes))
    throw new WeightsError(
      file,
      `the file ends before the tensor ${name} does; it was not downloaded whole.`,
    );
  return { name, shape, type, offset, sizeBytes };
}

async function readStart(handle: FileHandle, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, 0);
  return buffer.subarray(0, bytesRead);
}

const firstGuessBytes = 4_000_000;

/** Reads a file's header, and checks that every tensor lies within the file. */
export async function readGgufHeader(file: string): Promise<GgufHeader> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    // How long a header is shows only when it is read; most fit the first guess.
    for (let length = firstGuessBytes; ; length *= 4) {
      const reader = new Reader(await readStart(handle, Math.min(length, size)));
      try {
        const { metadata, places } = parseHeader(file, reader);
        const alignment = Number(metadata.get('general.alignment') ?? 32);
        const dataStart = Math.ceil(reader.offset / alignment) * alignment;
        return { metadata, tensors: places.map((place) => locate(file, place, dataStart, size)) };
      } catch (error) {
        if (!(error instanceof EndOfBytes)) throw error;
        if (length >= size)
          throw new WeightsError(file, 'the file ends within its header; it was not downloaded whole.');
      }
    }
  } finally {
    await handle.close();
  }
}
