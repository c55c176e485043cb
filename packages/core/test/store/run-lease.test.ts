import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { condemn, condemnedDir, newestBatch, putSafely, sweepSafely } from '../../src/store/condemned.ts';
import { enter, listDead, listLive } from '../../src/store/live.ts';
import { listLiveRuns, lookMs, openRunLease } from '../../src/store/run-lease.ts';

let dir = '';

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'joyul-lease-'));
});

afterEach(() => {
  vi.useRealTimers();
  rmSync(dir, { recursive: true, force: true });
});

test('a run says that it has seen a batch only after its events are on disk', async () => {
  vi.useFakeTimers();
  const seen: number[] = [];
  const lease = openRunLease(dir, 'r', () => void seen.push(listLiveRuns(dir)[0]?.seen ?? -1));
  await vi.advanceTimersByTimeAsync(10 * lookMs);
  expect(seen).toEqual([]);
  const batch = condemn(dir, []);
  await vi.advanceTimersByTimeAsync(2 * lookMs);
  expect([seen, listLiveRuns(dir)[0]?.seen]).toEqual([[0], batch]);
  lease.close();
  expect(listLiveRuns(dir)).toEqual([]);
});

test('a run whose events cannot be written has not seen the batch', async () => {
  vi.useFakeTimers();
  const lease = openRunLease(dir, 'r', () => {
    throw new Error('ENOSPC');
  });
  condemn(dir, []);
  await vi.advanceTimersByTimeAsync(5 * lookMs);
  expect(listLiveRuns(dir)[0]?.seen).toBe(0);
  lease.close();
});

test('what a run holds without an event is told with the batch', async () => {
  vi.useFakeTimers();
  const lease = openRunLease(dir, 'r', () => undefined);
  lease.hold('f');
  condemn(dir, []);
  await vi.advanceTimersByTimeAsync(lookMs);
  expect(listLiveRuns(dir)[0]?.held).toEqual(['f']);
  lease.close();
});

test('a batch has a larger number than any that a living run has seen, even when the clock went back', () => {
  vi.useFakeTimers({ now: 2_000_000 });
  condemn(dir, []);
  const lease = openRunLease(dir, 'r', () => undefined);
  rmSync(condemnedDir(dir), { recursive: true });
  vi.setSystemTime(1_000_000);
  expect(condemn(dir, [])).toBe(2_000_001);
  expect(newestBatch(dir)).toBe(2_000_001);
  lease.close();
});

test('marks of dead processes count for nothing', () => {
  const mark = enter(dir, 'gc');
  writeFileSync(join(dir, 'live', `gc.${2 ** 22 + 1}-1.aaaaaaaa`), '');
  // The same process id, begun at another time: another process.
  if (process.platform === 'linux') writeFileSync(join(dir, 'live', `gc.${process.pid}-1.bbbbbbbb`), '');
  expect(listLive(dir, 'gc')).toEqual([mark.name]);
  expect(listDead(dir)).toHaveLength(readdirSync(join(dir, 'live')).length - 1);
});

test('nothing is put in its place while something is removed', async () => {
  condemn(dir, []);
  const sweep = enter(dir, 'sweep');
  // The put waits without letting this process go on, so another thread ends the sweep.
  const { Worker } = await import('node:worker_threads');
  const file = join(dir, 'live', sweep.name);
  const worker = new Worker(`setTimeout(() => require('node:fs').rmSync(${JSON.stringify(file)}), 300)`, {
    eval: true,
  });
  await sleep(100);
  const startMs = performance.now();
  expect(putSafely(dir, () => 'put')).toBe('put');
  expect(performance.now() - startMs).toBeGreaterThan(50);
  await worker.terminate();
});

test('removing waits for what is being put in its place, and gives up in the end', () => {
  const put = enter(dir, 'put');
  let isSwept = false;
  expect(sweepSafely(dir, () => (isSwept = true))).toBe(false);
  put.leave();
  expect(sweepSafely(dir, () => (isSwept = true))).toBe(true);
  expect(isSwept).toBe(true);
});
