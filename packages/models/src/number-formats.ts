/** Element types of stored weights, as safetensors names them. */
export type StoredType = 'F32' | 'F16' | 'BF16' | 'F64' | 'I64' | 'I32' | 'U8' | 'BOOL';

/** Bytes of one element. */
export const bytesPerElement: Readonly<Record<StoredType, number>> = {
  F32: 4,
  F16: 2,
  BF16: 2,
  F64: 8,
  I64: 8,
  I32: 4,
  U8: 1,
  BOOL: 1,
};

/** Little-endian bytes as 32-bit floats; the bytes' buffer starts at offset 0. */
export function toFloat32(raw: Uint8Array<ArrayBuffer>, type: StoredType): Float32Array {
  switch (type) {
    case 'F32':
      return new Float32Array(raw.buffer);
    case 'F16':
      return Float32Array.from(new Float16Array(raw.buffer));
    case 'BF16': {
      // A bfloat16 is the upper half of a float.
      const halves = new Uint16Array(raw.buffer);
      const words = new Uint32Array(halves.length);
      for (let index = 0; index < halves.length; index++) words[index] = (halves[index] ?? 0) << 16;
      return new Float32Array(words.buffer);
    }
    case 'F64':
      return Float32Array.from(new Float64Array(raw.buffer));
    case 'I64':
      return Float32Array.from(new BigInt64Array(raw.buffer), Number);
    case 'I32':
      return Float32Array.from(new Int32Array(raw.buffer));
    case 'U8':
    case 'BOOL':
      return Float32Array.from(raw);
  }
}
