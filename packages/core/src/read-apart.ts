import { statSync } from 'node:fs';
import { extname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LoadOptions } from './language/load-pipeline.ts';

/** A pipeline file from this size on, some thousand steps, is read by a process of its own. */
const apartFromBytes = 256 * 1024;

/** What the other process is told: the options without what cannot be sent. */
export type SentOptions = Omit<LoadOptions, 'catalog' | 'onRead'> & { readonly bases: readonly string[] };

/**
 * Has a large pipeline read by another process, which keeps its graph; false when it is small, or could not be read so.
 *
 * Reading thousands of steps takes much more memory than running them, and an engine that once had it starts every
 * program more slowly: the system copies the tables of all of it each time.
 */
export async function readApart(options: LoadOptions): Promise<boolean> {
  const { catalog, onRead: _onRead, ...rest } = options;
  const { bases } = catalog;
  const size = statSync(resolve(options.projectDir, options.file), { throwIfNoEntry: false })?.size ?? 0;
  if (size < apartFromBytes || bases === undefined) return false;
  const { spawn } = await import('node:child_process');
  const file = fileURLToPath(new URL(`./read-main${extname(import.meta.url)}`, import.meta.url));
  const child = spawn(process.execPath, ['--max-semi-space-size=1', '--optimize-for-size', file], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const sent: SentOptions = { ...rest, bases };
  child.stdin.end(JSON.stringify(sent));
  return new Promise((done) => {
    child.on('error', () => {
      done(false);
    });
    child.on('exit', (code) => {
      done(code === 0);
    });
  });
}
