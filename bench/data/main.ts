/**
 * The memory and the speed of the prepare step on a large JSONL of conversations, in a process of its own.
 *
 * `main.ts [--gigabytes 2] [--row-bytes 1000] [--json]`: needs about five times that on the disk of the temporary folder.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { makeRows } from './make-rows.ts';

/** What prepare-file.ts prints. */
interface Measured {
  readonly peakMb: number;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly findings: readonly string[];
}

async function measure(dir: string): Promise<Measured> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'prepare-file.ts'), dir, 'chats.jsonl'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  if (code !== 0) throw new Error(`Preparing ended with exit code ${String(code)}.`);
  return JSON.parse(output) as Measured; // As prepare-file.ts says.
}

const { values } = parseArgs({
  options: {
    gigabytes: { type: 'string', default: '2' },
    'row-bytes': { type: 'string', default: '1000' },
    json: { type: 'boolean', default: false },
  },
});
const dir = await mkdtemp(join(tmpdir(), 'joyul-bench-data-'));
try {
  const size = { bytes: Number(values.gigabytes) * 1e9, rowBytes: Number(values['row-bytes']) };
  const made = await makeRows(join(dir, 'chats.jsonl'), size);
  process.stderr.write(
    `Wrote ${made.rows.toLocaleString('en-US')} rows, ${(made.bytes / 1e9).toFixed(2)} GB.\n`,
  );
  const measured = await measure(dir);
  const mbPerSecond = made.bytes / 1e6 / measured.seconds;
  if (values.json) process.stdout.write(`${JSON.stringify({ ...made, ...measured, mbPerSecond })}\n`);
  else {
    for (const finding of measured.findings) process.stdout.write(`${finding}\n`);
    process.stdout.write(
      `${(made.bytes / 1e9).toFixed(2)} GB, ${made.rows.toLocaleString('en-US')} rows: peak ${measured.peakMb} MB resident, ${measured.seconds.toFixed(0)} s (${measured.cpuSeconds.toFixed(0)} s of processor time), ${mbPerSecond.toFixed(1)} MB/s\n`,
    );
  }
} finally {
  await rm(dir, { recursive: true, force: true });
}
