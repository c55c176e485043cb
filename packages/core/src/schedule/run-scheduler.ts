import type { FSWatcher } from 'node:fs';
import { watch } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { codeOf } from '../util/files.ts';
import { schedulesDir } from './definition.ts';
import type { LockHolder } from './lock.ts';
import { SchedulerLock } from './lock.ts';
import type { Scheduler } from './scheduler.ts';
import { longestSleepMs } from './scheduler.ts';
import { stateDirOf } from './state-files.ts';

/** Where the folder cannot be watched, it is looked at so often. */
const pollMs = 1000;
/** Changes come in groups: one wake is for all of them. */
const settleMs = 30;

/** A sleep that others can end: what rings while nobody sleeps ends the next one. */
export class Alarm {
  #isRinging = false;
  #end: (() => void) | undefined;

  ring(): void {
    this.#isRinging = true;
    this.#end?.();
  }

  /** Sleeps until the time has passed or somebody rings. */
  async sleep(durationMs: number): Promise<void> {
    if (!this.#isRinging && durationMs > 0)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, durationMs);
        this.#end = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    this.#end = undefined;
    this.#isRinging = false;
  }
}

/** Why a scheduler ended. */
export type SchedulerEnd =
  { readonly kind: 'asked' } | { readonly kind: 'taken over'; readonly holder: LockHolder };

/** Wakes the scheduler when something is due or changed, until it is asked to end or another one has taken over. */
export async function runScheduler(
  scheduler: Scheduler,
  options: {
    readonly projectDir: string;
    readonly lock: SchedulerLock;
    readonly alarm: Alarm;
    readonly signal: AbortSignal;
  },
): Promise<SchedulerEnd> {
  const { projectDir, alarm, signal } = options;
  let { lock } = options;
  const ring = (): void => {
    alarm.ring();
  };
  const watcher = watchFolder(join(projectDir, schedulesDir), ring);
  signal.addEventListener('abort', ring);
  try {
    while (!signal.aborted) {
      if (!lock.isHeld()) {
        // Somebody removed the folder of the lock: it is ours again, unless another scheduler was faster.
        const taken = SchedulerLock.take(stateDirOf(projectDir), 'scheduler');
        if (!(taken instanceof SchedulerLock)) return { kind: 'taken over', holder: taken };
        lock = taken;
      }
      const wakeMs = scheduler.wake();
      const longest = watcher === undefined ? pollMs : longestSleepMs;
      await alarm.sleep(Math.min(longest, Math.max(0, wakeMs - Date.now())));
      if (watcher !== undefined && wakeMs - Date.now() > settleMs) await sleep(settleMs);
    }
    return { kind: 'asked' };
  } finally {
    signal.removeEventListener('abort', ring);
    watcher?.close();
    lock.release();
  }
}

/** Rings when anything changes in a folder; undefined where the system cannot tell. */
function watchFolder(dir: string, ring: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(dir, { recursive: true }, ring);
    // A folder that goes away is looked at again at the next wake.
    watcher.on('error', ring);
    return watcher;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}
