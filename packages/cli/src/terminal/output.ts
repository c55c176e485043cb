import { fstatSync, writeSync } from 'node:fs';
import { exitCodes } from '../exit-codes.ts';

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

/** Writes all of a text, also to a pipe whose reader is slow. */
function writeAll(descriptor: 1 | 2, text: string): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length;) {
    try {
      at += writeSync(descriptor, bytes, at);
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      // A reader that ends early, such as `| head`, is no failure.
      if (code === 'EPIPE') process.exit(exitCodes.done);
      if (code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

/** Writes to a descriptor without the streams of Node, whose loading is a tenth of a run that reuses everything. */
export function openOutput(descriptor: 1 | 2): Output {
  let pending = '';
  const flush = (): void => {
    const text = pending;
    pending = '';
    if (text !== '') writeAll(descriptor, text);
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
