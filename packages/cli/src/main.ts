#!/usr/bin/env node
/** The joyul command. Compiled code is cached first, so that all that is loaded after it starts fast. */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { cacheDir } from './user-folders.ts';

const compileCache = join(cacheDir(), 'compile-cache');
enableCompileCache(compileCache);
// Worker processes inherit it.
process.env['NODE_COMPILE_CACHE'] ??= compileCache;

// Not awaited at the top: the built command is CommonJS, which starts faster.
void start();

async function start(): Promise<void> {
  const { runCommandLine } = await import('./command-line.ts');
  process.exitCode = await runCommandLine(process.argv.slice(2));
}
