import { writeFile } from 'node:fs/promises';

/** A value of a GGUF file's metadata, with its type's number. */
export type Typed = readonly [type: number, value: number | boolean | string | readonly Typed[]];

/** A tensor of a GGUF file as its bytes; the shape is slowest first. */
export interface RawTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: number;
  readonly raw: Uint8Array;
}

export const u32 = (value: number): Typed => [4, value];
export const f32 = (value: number): Typed => [6, value];
export const text = (value: string): Typed => [8, value];
export const list = (values: readonly Typed[]): Typed => [9, values];

/** Numbers as a tensor of type F32. */
export function plainTensor(name: string, shape: readonly number[], data: Float32Array): RawTensor {
  return { name, shape, type: 0, raw: new Uint8Array(data.buffer, data.byteOffset, data.byteLength) };
}

function number(bytes: number, write: (buffer: Buffer) => void): Buffer {
  const buffer = Buffer.alloc(bytes);
  write(buffer);
  return buffer;
}

const int = (value: number): Buffer => number(4, (buffer) => buffer.writeUInt32LE(value));
const long = (value: number): Buffer => number(8, (buffer) => buffer.writeBigInt64LE(BigInt(value)));
const string = (value: string): Buffer => Buffer.concat([long(Buffer.byteLength(value)), Buffer.from(value)]);

const numbers: Readonly<Record<number, (value: number) => Buffer>> = {
  0: (value) => number(1, (buffer) => buffer.writeUInt8(value)),
  1: (value) => number(1, (buffer) => buffer.writeInt8(value)),
  2: (value) => number(2, (buffer) => buffer.writeUInt16LE(value)),
  3: (value) => number(2, (buffer) => buffer.writeInt16LE(value)),
  4: int,
  5: (value) => number(4, (buffer) => buffer.writeInt32LE(value)),
  6: (value) => number(4, (buffer) => buffer.writeFloatLE(value)),
  10: long,
  11: long,
  12: (value) => number(8, (buffer) => buffer.writeDoubleLE(value)),
};

function encode([type, value]: Typed): Buffer {
  if (typeof value === 'boolean') return Buffer.from([Number(value)]);
  if (typeof value === 'string') return string(value);
  if (typeof value === 'number') return numbers[type]?.(value) ?? int(value);
  return Buffer.concat([int(value[0]?.[0] ?? 4), long(value.length), ...value.map(encode)]);
}

/** The bytes of a GGUF file. */
export function makeGguf(
  metadata: Readonly<Record<string, Typed>>,
  tensors: readonly RawTensor[],
  version = 3,
): Buffer {
  const parts: Buffer[] = [
    Buffer.from('GGUF'),
    int(version),
    long(tensors.length),
    long(Object.keys(metadata).length),
  ];
  for (const [key, value] of Object.entries(metadata)) parts.push(string(key), int(value[0]), encode(value));
  let offset = 0;
  const align = (bytes: number): number => Math.ceil(bytes / 32) * 32;
  for (const { name, shape, type, raw } of tensors) {
    parts.push(string(name), int(shape.length), ...shape.toReversed().map(long), int(type), long(offset));
    offset += align(raw.length);
  }
  const header = Buffer.concat(parts);
  const pad = (bytes: Uint8Array): Uint8Array => Buffer.concat([bytes], align(bytes.length));
  return Buffer.concat([pad(header), ...tensors.map(({ raw }) => pad(raw))]);
}

/** Writes a GGUF file. */
export async function writeGguf(
  file: string,
  metadata: Readonly<Record<string, Typed>>,
  tensors: readonly RawTensor[],
): Promise<void> {
  await writeFile(file, makeGguf(metadata, tensors));
}
