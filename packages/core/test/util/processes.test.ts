import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { askToEnd, endNow, isProcessAlive, ownProcess } from '../../src/util/processes.ts';

/** The name of another process, as `ownProcess` gives that of this one. */
function nameOf(id: number): string {
  const text = readFileSync(`/proc/${id}/stat`, 'utf8');
  return `${id}-${text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? ''}`;
}

describe.skipIf(process.platform !== 'linux')('a process', () => {
  test('is known by when it began: another one of the same id is not it', () => {
    expect(isProcessAlive(ownProcess())).toBe(true);
    const other = `${process.pid}-1`;
    expect(isProcessAlive(other)).toBe(false);
    expect(askToEnd(other)).toBe('ended');
    endNow(other);
    expect(isProcessAlive(ownProcess())).toBe(true);
  });

  test('of which nobody can tell is not signalled', () => {
    expect(askToEnd(`${process.pid}-`)).toBe('unsure');
  });

  test('that has ended is not alive, although its parent has not asked how', async () => {
    // The shell starts a child and becomes a program that never asks.
    const parent = spawn('sh', ['-c', 'sleep 0.05 & echo $!; exec sleep 30'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [child] = (await parent.stdout.take(1).toArray()) as readonly Buffer[]; // One chunk of a few digits.
    const name = nameOf(Number(String(child)));
    expect(isProcessAlive(name)).toBe(true);
    while (!/\) Z /.test(readFileSync(`/proc/${String(child).trim()}/stat`, 'utf8'))) await sleep(10);
    expect(isProcessAlive(name)).toBe(false);
    parent.kill();
  });

  test('is asked to end, and ended', async () => {
    const asked = spawn('sleep', ['30']);
    const ended = new Promise((resolve) =>
      asked.on('exit', (_code, signal) => {
        resolve(signal);
      }),
    );
    expect(askToEnd(nameOf(asked.pid ?? 0))).toBe('asked');
    expect(await ended).toBe('SIGTERM');
  });
});
