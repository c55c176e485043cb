import { homedir } from 'node:os';
import { join } from 'node:path';

/** The folder that all projects of one user share: downloads, the native library, compiled code. */
export function cacheDir(): string {
  const base = process.env['XDG_CACHE_HOME'];
  return (
    process.env['JOYUL_CACHE'] ??
    join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'joyul')
  );
}
