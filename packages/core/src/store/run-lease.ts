import type { Platform } from '../util/platform.ts';
import { realPlatform } from '../util/platform.ts';
import { newestBatch } from './condemned.ts';
import { enter, listLive, readMark } from './live.ts';

/** Says that a run is at work in a store, so that no clean-up takes away what it relies on. */
export interface RunLease {
  /** Names a stored result that the run relies on and that none of its events tells. */
  hold(fingerprint: string): void;
  close(): void;
}

/** What a lease says to others. */
export interface LiveRun {
  readonly name: string;
  readonly runId: string;
  readonly startedMs: number;
  /** The newest batch of condemned records that the run knows to be gone. */
  readonly seen: number;
  readonly held: readonly string[];
}

/** How often a run looks whether a clean-up waits for it. */
export const lookMs = 1000;

/**
 * Opens a run's lease; it ends with the process.
 *
 * `flush` must forget every copy of records that the run may still find, and write to disk every event of what it has
 * decided so far: it is called before the lease
 * says that the run knows of a batch, and only then. The lease must be open before the first stored record is
 * read, and be closed after the last event is written. A decision for a stored result and its event must not
 * be parted by an `await` on anything but values that are there.
 */
export function openRunLease(
  storeDir: string,
  runId: string,
  flush: () => void,
  platform: Platform = realPlatform,
): RunLease {
  const { clock } = platform;
  const held = new Set<string>();
  const startedMs = clock.now();
  let seen = newestBatch(storeDir, platform);
  const describe = (): string => JSON.stringify({ runId, startedMs, seen, held: [...held] });
  const mark = enter(storeDir, 'run', describe(), platform);
  const look = (): void => {
    try {
      const newest = newestBatch(storeDir, platform);
      if (newest <= seen) return;
      flush();
      seen = newest;
      mark.write(describe());
    } catch {
      // A full disk, say: the clean-up goes on waiting, which is safe.
    }
  };
  const closed = new AbortController();
  const lookNowAndThen = async (): Promise<void> => {
    for (;;) {
      await clock.sleep(lookMs, closed.signal);
      if (closed.signal.aborted) return;
      look();
    }
  };
  void lookNowAndThen();
  return {
    hold: (fingerprint) => void held.add(fingerprint),
    close: () => {
      closed.abort();
      mark.leave();
    },
  };
}

/** Runs of living processes. */
export function listLiveRuns(storeDir: string, platform: Platform = realPlatform): readonly LiveRun[] {
  return listLive(storeDir, 'run', platform).flatMap((name) => {
    const text = readMark(storeDir, name, platform);
    if (text === undefined) return [];
    try {
      return [{ name, ...(JSON.parse(text) as Omit<LiveRun, 'name'>) }]; // Written by `describe`.
    } catch {
      // Its owner is about to write it: until then it may have begun at any time, and has seen nothing.
      return [{ name, runId: '', startedMs: 0, seen: 0, held: [] }];
    }
  });
}
