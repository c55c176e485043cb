/** A run that `joyul schedule start` started: it claims its run first, and leaves word of its end. */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { claimRun, recordRunEnd } from '@joyul/core/schedule';
import { cacheDir } from './user-folders.ts';

const [dir = '', attempt = '', ...args] = process.argv.slice(2);
// Somebody else has the run, or has given it up: this process came too late.
if (claimRun(dir, Number(attempt))) {
  const compileCache = join(cacheDir(), 'compile-cache');
  enableCompileCache(compileCache);
  process.env['NODE_COMPILE_CACHE'] ??= compileCache;
  process.on('exit', (exitCode) => {
    recordRunEnd(dir, { exitCode, endedMs: Date.now() });
  });
  void start();
}

async function start(): Promise<void> {
  const { runCommandLine } = await import('./command-line.ts');
  process.exitCode = await runCommandLine(args);
}
