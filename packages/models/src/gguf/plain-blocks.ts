/**
 * Blocks of 32 numbers that share a scale d, and with _1 a smallest value m, as 16-bit floats. The lower four bits of
 * byte j are number j, the upper four number j + 16; formats of five bits keep the fifth bits in one 32-bit word.
 */
import { halfTable } from './half-table.ts';

/** Q4_0: d · (q − 8). */
export function unpackQ40(raw: Uint8Array, values: Float32Array): void {
  const halves = halfTable();
  for (let at = 0, to = 0; to < values.length; at += 18, to += 32) {
    const scale = halves[(raw[at] ?? 0) | ((raw[at + 1] ?? 0) << 8)] ?? 0;
    for (let j = 0; j < 16; j++) {
      const byte = raw[at + 2 + j] ?? 0;
      values[to + j] = scale * ((byte & 15) - 8);
      values[to + j + 16] = scale * ((byte >> 4) - 8);
    }
  }
}

/** Q4_1: d · q + m. */
export function unpackQ41(raw: Uint8Array, values: Float32Array): void {
  const halves = halfTable();
  for (let at = 0, to = 0; to < values.length; at += 20, to += 32) {
    const scale = halves[(raw[at] ?? 0) | ((raw[at + 1] ?? 0) << 8)] ?? 0;
    const least = halves[(raw[at + 2] ?? 0) | ((raw[at + 3] ?? 0) << 8)] ?? 0;
    for (let j = 0; j < 16; j++) {
      const byte = raw[at + 4 + j] ?? 0;
      values[to + j] = scale * (byte & 15) + least;
      values[to + j + 16] = scale * (byte >> 4) + least;
    }
  }
}

/** Q5_0: d · (q − 16). */
export function unpackQ50(raw: Uint8Array, values: Float32Array): void {
  const halves = halfTable();
  for (let at = 0, to = 0; to < values.length; at += 22, to += 32) {
    const scale = halves[(raw[at] ?? 0) | ((raw[at + 1] ?? 0) << 8)] ?? 0;
    const fifth = readWord(raw, at + 2);
    for (let j = 0; j < 16; j++) {
      const byte = raw[at + 6 + j] ?? 0;
      values[to + j] = scale * (((byte & 15) | (((fifth >>> j) & 1) << 4)) - 16);
      values[to + j + 16] = scale * (((byte >> 4) | (((fifth >>> (j + 16)) & 1) << 4)) - 16);
    }
  }
}

/** Q5_1: d · q + m. */
export function unpackQ51(raw: Uint8Array, values: Float32Array): void {
  const halves = halfTable();
  for (let at = 0, to = 0; to < values.length; at += 24, to += 32) {
    const scale = halves[(raw[at] ?? 0) | ((raw[at + 1] ?? 0) << 8)] ?? 0;
    const least = halves[(raw[at + 2] ?? 0) | ((raw[at + 3] ?? 0) << 8)] ?? 0;
    const fifth = readWord(raw, at + 4);
    for (let j = 0; j < 16; j++) {
      const byte = raw[at + 8 + j] ?? 0;
      values[to + j] = scale * ((byte & 15) | (((fifth >>> j) & 1) << 4)) + least;
      values[to + j + 16] = scale * ((byte >> 4) | (((fifth >>> (j + 16)) & 1) << 4)) + least;
    }
  }
}

/** Q8_0: d · q with a signed byte q. */
export function unpackQ80(raw: Uint8Array, values: Float32Array): void {
  const halves = halfTable();
  const signed = new Int8Array(raw.buffer, raw.byteOffset, raw.length);
  for (let at = 0, to = 0; to < values.length; at += 34, to += 32) {
    const scale = halves[(raw[at] ?? 0) | ((raw[at + 1] ?? 0) << 8)] ?? 0;
    for (let j = 0; j < 32; j++) values[to + j] = scale * (signed[at + 2 + j] ?? 0);
  }
}

function readWord(raw: Uint8Array, at: number): number {
  return (raw[at] ?? 0) | ((raw[at + 1] ?? 0) << 8) | ((raw[at + 2] ?? 0) << 16) | ((raw[at + 3] ?? 0) << 24);
}

/** Packs numbers as Q8_0: d is the largest magnitude of a block over 127, q the nearest whole numbers. */
export function packQ80(values: Float32Array): Uint8Array {
  const raw = new Uint8Array((values.length / 32) * 34);
  const bytes = new DataView(raw.buffer);
  for (let from = 0, to = 0; from < values.length; from += 32, to += 34) {
    const block = values.subarray(from, from + 32);
    const scale = block.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
    bytes.setFloat16(to, scale, true);
    for (let j = 0; j < 32; j++) {
      const quotient = scale === 0 ? 0 : (block[j] ?? 0) / scale;
      // Halves are rounded away from zero, as by C's roundf.
      bytes.setInt8(to + 2 + j, Math.sign(quotient) * Math.round(Math.abs(quotient)));
    }
  }
  return raw;
}
