import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** A file's bytes from an offset to its present end. */
export function readRange(file: string, offset: number): Buffer {
  const handle = openSync(file, 'r');
  try {
    const length = Math.max(0, fstatSync(handle).size - offset);
    const buffer = Buffer.allocUnsafe(length);
    return buffer.subarray(0, length === 0 ? 0 : readSync(handle, buffer, 0, length, offset));
  } finally {
    closeSync(handle);
  }
}
