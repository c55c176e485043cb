/**
 * Writes GGUF files, version 3: a header, metadata by key, the tensors' places, then their bytes, each on a boundary of
 * 32.
 */
import { packNumbers } from '../number-formats.ts';
import { countElements } from '../tensors.ts';
import type { LazyTensor } from '../tensors.ts';
import { writeWhole } from '../write-whole.ts';
import { packQ80 } from './plain-blocks.ts';

/** How a written tensor's numbers are packed. */
export type GgufWrittenType = 'F32' | 'F16' | 'Q8_0';

/** A tensor to be written; its numbers are read when its turn comes. */
export interface GgufContent extends LazyTensor {
  readonly type: GgufWrittenType;
}

/** A value of the metadata, as its type in the file. */
export type GgufField =
  | { readonly kind: 'u32' | 'i32' | 'f32'; readonly value: number }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'strings'; readonly value: readonly string[] }
  | { readonly kind: 'i32s'; readonly value: readonly number[] };

const magic = 'GGUF';
const version = 3;
const alignment = 32;
/** Numbers of GGUF's list of value types. */
const kinds = { u32: 4, i32: 5, f32: 6, bool: 7, string: 8, list: 9 } as const;
/** By ggml's `ggml_type`. */
const types: Readonly<Record<GgufWrittenType, { readonly id: number; bytes(count: number): number }>> = {
  F32: { id: 0, bytes: (count) => 4 * count },
  F16: { id: 1, bytes: (count) => 2 * count },
  Q8_0: { id: 8, bytes: (count) => (count / 32) * 34 },
};

const align = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

function word(write: (buffer: Buffer) => void, bytes = 4): Buffer {
  const buffer = Buffer.alloc(bytes);
  write(buffer);
  return buffer;
}
const u32 = (value: number): Buffer => word((buffer) => buffer.writeUInt32LE(value));
const i32 = (value: number): Buffer => word((buffer) => buffer.writeInt32LE(value));
const u64 = (value: number): Buffer => word((buffer) => buffer.writeBigUInt64LE(BigInt(value)), 8);
const text = (value: string): readonly Buffer[] => [u64(Buffer.byteLength(value)), Buffer.from(value)];

/** A value with its type before it. */
function formatField(field: GgufField): readonly Buffer[] {
  switch (field.kind) {
    case 'u32':
      return [u32(kinds.u32), u32(field.value)];
    case 'i32':
      return [u32(kinds.i32), i32(field.value)];
    case 'f32':
      return [u32(kinds.f32), word((buffer) => buffer.writeFloatLE(field.value))];
    case 'bool':
      return [u32(kinds.bool), Buffer.from([Number(field.value)])];
    case 'string':
      return [u32(kinds.string), ...text(field.value)];
    case 'strings':
      return [u32(kinds.list), u32(kinds.string), u64(field.value.length), ...field.value.flatMap(text)];
    case 'i32s':
      return [u32(kinds.list), u32(kinds.i32), u64(field.value.length), ...field.value.map(i32)];
  }
}

function formatHeader(metadata: ReadonlyMap<string, GgufField>, tensors: readonly GgufContent[]): Buffer {
  const parts = [Buffer.from(magic), u32(version), u64(tensors.length), u64(metadata.size)];
  for (const [key, field] of metadata) parts.push(...text(key), ...formatField(field));
  let offset = 0;
  for (const { name, shape, type } of tensors) {
    // The file has the fastest axis first.
    parts.push(...text(name), u32(shape.length), ...shape.toReversed().map(u64));
    parts.push(u32(types[type].id), u64(offset));
    offset += align(types[type].bytes(countElements(shape)));
  }
  return Buffer.concat(parts);
}

const pack = (data: Float32Array, type: GgufWrittenType): Uint8Array =>
  type === 'Q8_0' ? packQ80(data) : packNumbers(data, type);

const pad = (bytes: Uint8Array): Uint8Array => Buffer.concat([bytes], align(bytes.length));

/** Writes a GGUF file, a tensor at a time; it appears under its name only when it is whole. */
export async function writeGguf(
  file: string,
  metadata: ReadonlyMap<string, GgufField>,
  tensors: readonly GgufContent[],
): Promise<void> {
  await writeWhole(file, async (handle) => {
    await handle.writeFile(pad(formatHeader(metadata, tensors)));
    for (const tensor of tensors) await handle.writeFile(pad(pack(await tensor.readData(), tensor.type)));
  });
}
