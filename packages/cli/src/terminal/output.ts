import { fstatSync, writeSync } from 'node:fs';

/** Where lines go: a file, a pipe, or a terminal that is not drawn on. */
export interface Output {
  readonly isTTY: boolean;
  write(text: string): void;
}

/** Length at which collected text is written. */
const bufferLength = 1 << 15;

/** True unless a descriptor is surely no terminal; asking for more loads what streams need. */
export function mayBeTerminal(descriptor: 1 | 2): boolean {
  try {
    const stats = fstatSync(descriptor);
    // The null device is a character device as well; its number is 1:3 on Linux, where most runs without a terminal are.
    return stats.isCharacterDevice() && !(process.platform === 'linux' && stats.rdev === 0x103);
  } catch {
    return false;
  }
}

/** True for what a write to a pipe without a reader, or to a terminal that was closed, ends with. */
export const isReaderGone = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && (error.code === 'EPIPE' || error.code === 'EIO');

/** Writes all of a text, also to a pipe whose reader is slow; false when there is no reader any more. */
function writeAll(descriptor: 1 | 2, text: string): boolean {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      if (isReaderGone(error)) return false;
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
  return true;
}

/** Writes to a descriptor without the streams of Node, whose loading is a tenth of a run that reuses everything. */
export function openOutput(descriptor: 1 | 2): Output {
  let pending = '';
  // Work goes on when its reader ends early, as with `| head`: it is worth more than what is told of it.
  let hasReader = true;
  const flush = (): void => {
    const text = pending;
    pending = '';
    if (text !== '' && hasReader) hasReader = writeAll(descriptor, text);
  };
  process.on('exit', flush);
  return {
    isTTY: false,
    write(text) {
      // What happens together is written together; what is told is seen at once.
      if (pending === '') setImmediate(flush);
      pending += text;
      if (pending.length > bufferLength) flush();
    },
  };
}
