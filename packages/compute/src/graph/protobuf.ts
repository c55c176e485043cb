/** The little of protocol buffers that a SavedModel needs: writing varints, strings, floats and messages. */

function varint(value: number): Buffer {
  // Negative numbers are ten bytes of two's complement in 64 bits.
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  do {
    const low = Number(rest & 127n);
    rest >>= 7n;
    bytes.push(rest > 0n ? low | 128 : low);
  } while (rest > 0n);
  return Buffer.from(bytes);
}

/** A field that holds a whole number, a bool or an enum. */
export const int = (field: number, value: number): Buffer =>
  Buffer.concat([varint(field << 3), varint(value)]);

/** A field that holds a string, bytes or a message. */
export function bytes(field: number, value: string | Uint8Array): Buffer {
  const body = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([varint((field << 3) | 2), varint(body.length), body]);
}

/** Fields one after the other. */
export const message = (...fields: readonly Uint8Array[]): Buffer => Buffer.concat(fields);
