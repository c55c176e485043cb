/**
 * K-quants: blocks of 256 numbers in groups of 16 or 32, whose scales and smallest values are packed as well, with one
 * 16-bit float d (and m) for all of them. Layouts are those of ggml's `block_q2_K` … `block_q6_K`.
 */
import { halfTable } from './half-table.ts';

const blockLength = 256;

/** Q2_K: d · (s & 15) · q − m · (s ≫ 4), one byte s for 16 numbers. */
export function unpackQ2K(raw: Uint8Array, values: Float32Array): void {
  const halves = halfTable();
  for (let at = 0, to = 0; to < values.length; at += 84, to += blockLength) {
    const scale = halves[(raw[at + 80] ?? 0) | ((raw[at + 81] ?? 0) << 8)] ?? 0;
    const least = halves[(raw[at + 82] ?? 0) | ((raw[at + 83] ?? 0) << 8)] ?? 0;
    for (let group = 0; group < 16; group++) {
      const packed = raw[at + group] ?? 0;
      const own = scale * (packed & 15);
      const below = least * (packed >> 4);
      // 128 numbers share 32 bytes: two bits of each, and 16 of the bytes for a group.
      const from = at + 16 + (group >> 3) * 32 + (group & 1) * 16;
      const shift = ((group & 7) >> 1) * 2;
      for (let j = 0; j < 16; j++)
        values[to + group * 16 + j] = own * (((raw[from + j] ?? 0) >> shift) & 3) - below;
    }
  }
}

/** Q3_K: d · (s − 32) · (q − 4); the third bit of q lies in a mask, six bits of s in two places. */
export function unpackQ3K(raw: Uint8Array, values: Float32Array): void {
  const halves = halfTable();
  for (let at = 0, to = 0; to < values.length; at += 110, to += blockLength) {
    const scale = halves[(raw[at + 108] ?? 0) | ((raw[at + 109] ?? 0) << 8)] ?? 0;
    for (let group = 0; group < 16; group++) {
      const low = ((raw[at + 96 + (group & 7)] ?? 0) >> ((group >> 3) * 4)) & 15;
      const high = ((raw[at + 104 + (group & 3)] ?? 0) >> ((group >> 2) * 2)) & 3;
      const own = scale * ((low | (high << 4)) - 32);
      const half = (group & 1) * 16;
      const from = at + 32 + (group >> 3) * 32 + half;
      const shift = ((group & 7) >> 1) * 2;
      const bit = group >> 1;
      for (let j = 0; j < 16; j++) {
        const third = ((raw[at + half + j] ?? 0) >> bit) & 1;
        values[to + group * 16 + j] = own * ((((raw[from + j] ?? 0) >> shift) & 3) - (third === 1 ? 0 : 4));
      }
    }
  }
}

/** The scale of a group of 32 in Q4_K and Q5_K: six bits, the last four groups' in two places of 12 bytes. */
function scaleOf(raw: Uint8Array, at: number, group: number): number {
  if (group < 4) return (raw[at + group] ?? 0) & 63;
  return ((raw[at + group + 4] ?? 0) & 15) | (((raw[at + group - 4] ?? 0) >> 6) << 4);
}

/** The smallest value of such a group, as {@link scaleOf}. */
function leastOf(raw: Uint8Array, at: number, group: number): number {
  if (group < 4) return (raw[at + group + 4] ?? 0) & 63;
  return ((raw[at + group + 4] ?? 0) >> 4) | (((raw[at + group] ?? 0) >> 6) << 4);
}

/** Q4_K: d · s · q − m · t. */
export function unpackQ4K(raw: Uint8Array, values: Float32Array): void {
  const halves = halfTable();
  for (let at = 0, to = 0; to < values.length; at += 144, to += blockLength) {
    const scale = halves[(raw[at] ?? 0) | ((raw[at + 1] ?? 0) << 8)] ?? 0;
    const least = halves[(raw[at + 2] ?? 0) | ((raw[at + 3] ?? 0) << 8)] ?? 0;
    for (let group = 0; group < 8; group++) {
      const own = scale * scaleOf(raw, at + 4, group);
      const below = least * leastOf(raw, at + 4, group);
      const from = at + 16 + (group >> 1) * 32;
      const shift = (group & 1) * 4;
      for (let j = 0; j < 32; j++)
        values[to + group * 32 + j] = own * (((raw[from + j] ?? 0) >> shift) & 15) - below;
    }
  }
}

/** Q5_K: d · s · q − m · t, the fifth bits in 32 bytes of their own. */
export function unpackQ5K(raw: Uint8Array, values: Float32Array): void {
  const halves = halfTable();
  for (let at = 0, to = 0; to < values.length; at += 176, to += blockLength) {
    const scale = halves[(raw[at] ?? 0) | ((raw[at + 1] ?? 0) << 8)] ?? 0;
    const least = halves[(raw[at + 2] ?? 0) | ((raw[at + 3] ?? 0) << 8)] ?? 0;
    for (let group = 0; group < 8; group++) {
      const own = scale * scaleOf(raw, at + 4, group);
      const below = least * leastOf(raw, at + 4, group);
      const from = at + 48 + (group >> 1) * 32;
      const shift = (group & 1) * 4;
      for (let j = 0; j < 32; j++) {
        const fifth = (((raw[at + 16 + j] ?? 0) >> group) & 1) << 4;
        values[to + group * 32 + j] = own * ((((raw[from + j] ?? 0) >> shift) & 15) | fifth) - below;
      }
    }
  }
}

/** Q6_K: d · s · (q − 32) with a signed byte s for 16 numbers, four bits of q here and two there. */
export function unpackQ6K(raw: Uint8Array, values: Float32Array): void {
  const halves = halfTable();
  const signed = new Int8Array(raw.buffer, raw.byteOffset, raw.length);
  for (let at = 0, to = 0; to < values.length; at += 210, to += blockLength) {
    const scale = halves[(raw[at + 208] ?? 0) | ((raw[at + 209] ?? 0) << 8)] ?? 0;
    for (let group = 0; group < 16; group++) {
      const own = scale * (signed[at + 192 + group] ?? 0);
      const part = (group & 7) >> 1; // Which 32 of 128 numbers.
      const half = (group & 1) * 16;
      const low = at + (group >> 3) * 64 + (part & 1) * 32 + half;
      const lowShift = (part >> 1) * 4;
      const high = at + 128 + (group >> 3) * 32 + half;
      const highShift = part * 2;
      for (let j = 0; j < 16; j++) {
        const quant =
          (((raw[low + j] ?? 0) >> lowShift) & 15) | ((((raw[high + j] ?? 0) >> highShift) & 3) << 4);
        values[to + group * 16 + j] = own * (quant - 32);
      }
    }
  }
}
