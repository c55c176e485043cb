/** Element types of stored weights, as safetensors names them. */
export type StoredType = 'F32' | 'F16' | 'BF16' | 'F64' | 'I64' | 'I32' | 'U8' | 'BOOL';

/** Bytes of a file, in a buffer that starts with them. */
export type RawBytes = Uint8Array<ArrayBuffer>;

/** A way in which numbers are packed into bytes, little-endian. */
export interface NumberFormat {
  /** Numbers that are packed together; 1 where each stands alone. */
  readonly blockLength: number;
  readonly blockBytes: number;
  /** Writes the numbers of whole blocks as 32-bit floats. */
  unpack(raw: RawBytes, values: Float32Array): void;
}

function plain(blockBytes: number, unpack: NumberFormat['unpack']): NumberFormat {
  return { blockLength: 1, blockBytes, unpack };
}

const bytes = plain(1, (raw, values) => {
  values.set(raw);
});

/** How numbers are stored by type. */
export const numberFormats: Readonly<Record<StoredType, NumberFormat>> = {
  F32: plain(4, (raw, values) => {
    new Uint8Array(values.buffer, values.byteOffset, raw.length).set(raw);
  }),
  F16: plain(2, (raw, values) => {
    values.set(new Float16Array(raw.buffer, 0, raw.length / 2));
  }),
  BF16: plain(2, (raw, values) => {
    // A bfloat16 is the upper half of a float.
    const halves = new Uint16Array(raw.buffer, 0, raw.length / 2);
    const words = new Uint32Array(values.buffer, values.byteOffset, halves.length);
    for (let index = 0; index < halves.length; index++) words[index] = (halves[index] ?? 0) << 16;
  }),
  F64: plain(8, (raw, values) => {
    values.set(new Float64Array(raw.buffer, 0, raw.length / 8));
  }),
  I64: plain(8, (raw, values) => {
    values.set(Float32Array.from(new BigInt64Array(raw.buffer, 0, raw.length / 8), Number));
  }),
  I32: plain(4, (raw, values) => {
    values.set(new Int32Array(raw.buffer, 0, raw.length / 4));
  }),
  U8: bytes,
  BOOL: bytes,
};

/** Types that weights are written in. */
export type WrittenType = 'F32' | 'F16' | 'BF16';

/** Numbers as the bytes of a type, rounded to the nearest, ties to even. */
export function packNumbers(values: Float32Array, type: WrittenType): Uint8Array {
  switch (type) {
    case 'F32':
      return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    case 'F16':
      return new Uint8Array(Float16Array.from(values).buffer);
    case 'BF16': {
      const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
      const halves = new Uint16Array(values.length);
      for (let index = 0; index < words.length; index++) {
        const word = words[index] ?? 0;
        // Rounding may not turn what is not a number into infinity.
        const isNumber = (word & 0x7fffffff) <= 0x7f800000;
        halves[index] = isNumber ? (word + 0x7fff + ((word >>> 16) & 1)) >>> 16 : (word >>> 16) | 0x40;
      }
      return new Uint8Array(halves.buffer);
    }
  }
}
