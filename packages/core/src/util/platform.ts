import type { FileSystem } from './file-system.ts';
import { nodeFileSystem } from './file-system.ts';
import { endOrphans, isProcessAlive, ownProcess, readBoot } from './processes.ts';

/** The time as the engine sees it. */
export interface Clock {
  /** Milliseconds since 1970; may jump. */
  now(): number;
  /** Milliseconds from any beginning; never goes back. */
  elapsed(): number;
  /** Ends early, without an error, when the signal is aborted. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

/** Processes of this machine, by a name that no later process can have. */
export interface Processes {
  /** This process. */
  readonly own: string;
  isAlive(name: string): boolean;
  /** Ends what a dead process started and left running. */
  endOrphans(name: string): void;
}

/** Everything outside the engine's own state; a simulator puts another one in its place. */
export interface Platform {
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly processes: Processes;
  /** Another one each time the machine starts. */
  readonly boot: string;
  /** At least 0, below 1. */
  readonly random: () => number;
}

/** A timer that is set to more than 2^31 - 1 ms, almost 25 days, goes off at once. */
const longestTimerMs = 2 ** 31 - 1;

async function waitForTimer(durationMs: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return;
  await new Promise<void>((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, durationMs);
    signal?.addEventListener('abort', end);
  });
}

/** This machine. */
export const realPlatform: Platform = {
  fs: nodeFileSystem,
  clock: {
    now: () => Date.now(),
    elapsed: () => {
      const [seconds, nanoseconds] = process.hrtime();
      return seconds * 1000 + nanoseconds / 1e6;
    },
    async sleep(durationMs, signal) {
      let restMs = durationMs;
      for (; restMs > longestTimerMs; restMs -= longestTimerMs) await waitForTimer(longestTimerMs, signal);
      await waitForTimer(restMs, signal);
    },
  },
  processes: { own: ownProcess(), isAlive: isProcessAlive, endOrphans },
  boot: readBoot(),
  random: () => Math.random(),
};
