import type { Hash } from 'node:crypto';

/** Loaded when something is hashed: a run that reuses everything compares instead, and starts a quarter faster. */
const crypto = (): typeof import('node:crypto') => process.getBuiltinModule('node:crypto');

/** A sha256 that is fed piece by piece. */
export const createSha256 = (): Hash => crypto().createHash('sha256');

/** The sha256 of a text or of bytes, in hexadecimal. */
export const digestOf = (content: string | Uint8Array): string =>
  createSha256().update(content).digest('hex');

/** Bytes that a checksum takes. */
export const checksumLength = 16;

/**
 * A checksum that finds accidental damage, not forgery: two multiplicative hashes over words of four bytes.
 *
 * For files that only save time, where loading a real hash would cost more than they save.
 */
export function checksumOf(bytes: Uint8Array): string {
  const whole = bytes.length >>> 2;
  // Words must begin at a multiple of four.
  const { buffer, byteOffset } = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  const words = new Uint32Array(buffer, byteOffset, whole);
  let first = bytes.length;
  let second = 0x9e3779b9;
  for (let index = 0; index < whole; index++) {
    const word = words[index] ?? 0;
    first = Math.imul(first ^ word, 0x01000193);
    second = Math.imul((second << 5) ^ (second >>> 27) ^ word, 0x85ebca6b);
  }
  for (let index = whole * 4; index < bytes.length; index++) {
    first = Math.imul(first ^ (bytes[index] ?? 0), 0x01000193);
    second = Math.imul(second ^ (bytes[index] ?? 0), 0x85ebca6b);
  }
  const hex = (hash: number): string => (hash >>> 0).toString(16).padStart(8, '0');
  return hex(first) + hex(second);
}
