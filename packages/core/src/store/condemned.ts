/**
 * How things are removed from a store while other processes use it.
 *
 * The danger: a process looks at something old, finds it good, and relies on it, while another removes it.
 * Looking must cost nothing, so there is no lock to take for it. Instead a clean-up goes in this order:
 *
 * 1. It moves the records that go into a folder `condemned/NUMBER`. From then on nobody can find them:
 *    looking for one is a miss, which costs time and never correctness.
 * 2. It waits for every run that was at work (`live/run.*`) to end, to die, or to say that it has seen NUMBER.
 *    A run says so only after the events of all that it decided before are on disk. What a run decided on
 *    before step 1 is therefore known now, and is moved back. What it decides on later is not in the batch.
 * 3. Then it removes blobs that no record names any more, in short sections that exclude `putSafely`.
 *
 * Publishing is the second danger: a run finds a blob with its digest and does not store it again, while that
 * blob is about to go. So whoever relies on an old blob changes its times (`touch`), and a blob changed since the
 * oldest run at work began stays. Between looking at the times and removing, nobody may touch: while something is
 * condemned, `putSafely` and the sections of step 3 exclude each other. While nothing is, `putSafely` is one look
 * for a folder: a run that found none was at work before step 1, so step 2 waits until it has touched.
 *
 * Killed at any instant, a clean-up leaves records that are gone before their blobs are, and a batch that the
 * next one takes up. Waiting costs no correctness either: what cannot be proven free stays for the next time.
 */
import { basename, join } from 'node:path';
import { codeOf } from '../util/files.ts';
import type { Platform } from '../util/platform.ts';
import { realPlatform } from '../util/platform.ts';
import { enter, listLive, readMark } from './live.ts';

/** The folder of batches of condemned records. */
export const condemnedDir = (storeDir: string): string => join(storeDir, 'condemned');

/** Numbers of the batches that are there, ascending. */
export function listBatches(storeDir: string, { fs }: Platform = realPlatform): readonly number[] {
  try {
    return fs
      .list(condemnedDir(storeDir))
      .map(({ name }) => name)
      .filter((name) => /^\d+$/.test(name))
      .map(Number)
      .sort((left, right) => left - right);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** The number of the newest batch; 0 where there is none. */
export function newestBatch(storeDir: string, platform: Platform = realPlatform): number {
  return listBatches(storeDir, platform).at(-1) ?? 0;
}

/**
 * Moves records, by path, out of everybody's sight, and gives the number of their batch.
 *
 * Only the one clean-up at a time may call it. The number is larger than any that a living run has seen.
 */
export function condemn(
  storeDir: string,
  files: readonly string[],
  platform: Platform = realPlatform,
): number {
  const { fs, clock } = platform;
  // Copies of records first: what is condemned must not be found in them.
  forgetPacks(storeDir, platform);
  const pending = join(condemnedDir(storeDir), 'pending');
  fs.makeFolder(pending);
  for (const file of files) {
    try {
      fs.rename(file, join(pending, basename(file)));
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }
  const seen = listLive(storeDir, 'run', platform).map(
    (name) => /"seen":(\d+)/.exec(readMark(storeDir, name, platform) ?? '')?.[1],
  );
  const number = Math.max(
    Math.floor(clock.now()),
    newestBatch(storeDir, platform) + 1,
    ...seen.map((value) => Number(value ?? 0) + 1),
  );
  fs.rename(pending, join(condemnedDir(storeDir), String(number)));
  return number;
}

/** The copies of records that runs keep, one file for each pipeline. */
function forgetPacks(storeDir: string, { fs }: Platform): void {
  try {
    for (const { name } of fs.list(join(storeDir, 'last')))
      if (name.endsWith('.actions')) fs.remove(join(storeDir, 'last', name));
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Waits without letting anything else of this process happen: what is waited for takes milliseconds. */
function pause(ms: number): void {
  Atomics.wait(sleeper, 0, 0, ms);
}

/** Puts something in its place, or marks what is there as in use, while no clean-up removes anything. */
export function putSafely<T>(storeDir: string, action: () => T, platform: Platform = realPlatform): T {
  if (platform.fs.stat(condemnedDir(storeDir)) === undefined) return action();
  for (;;) {
    const mark = enter(storeDir, 'put', '', platform);
    try {
      // A clean-up that has not entered yet will see this mark and wait.
      if (listLive(storeDir, 'sweep', platform).length === 0) return action();
    } finally {
      mark.leave();
    }
    pause(1 + Math.random() * 4);
  }
}

/** How long a clean-up waits for others to put things in their place. */
const patienceMs = 5000;

/** Removes things while nobody puts anything in its place; false when that could not be had in time. */
export function sweepSafely(storeDir: string, action: () => void): boolean {
  const mark = enter(storeDir, 'sweep');
  try {
    for (const endMs = performance.now() + patienceMs; listLive(storeDir, 'put').length > 0; pause(1))
      if (performance.now() > endMs) return false;
    action();
    return true;
  } finally {
    mark.leave();
  }
}
