import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { LiveMark } from '../store/live.ts';
import { enter, listLive } from '../store/live.ts';
import { listLiveRuns } from '../store/run-lease.ts';
import { Store } from '../store/store.ts';
import type { CacheSettings } from './cache-settings.ts';
import { lowerToDisk } from './cache-settings.ts';
import type { Garbage } from './choose-garbage.ts';
import { chooseGarbage, totalBytesOf } from './choose-garbage.ts';
import type { Needed } from './find-needed.ts';
import { findNeeded } from './find-needed.ts';
import type { Removal } from './remove-garbage.ts';
import { removeGarbage } from './remove-garbage.ts';
import type { Survey } from './survey.ts';
import { surveyStore } from './survey.ts';

/** How a store is cleaned up. */
export interface CollectOptions {
  readonly projectDir: string;
  readonly settings: CacheSettings;
  /** True where a nearly full disk lowers the limit. */
  readonly isLoweredToDisk: boolean;
  /** How long to wait for runs at work to say what they rely on. */
  readonly waitMs: number;
}

/** What a clean-up removes, and why the rest stays. */
export interface CollectPlan {
  readonly survey: Survey;
  readonly needed: Needed;
  readonly garbage: Garbage;
  /** The limit that was used; a nearly full disk may have lowered it. */
  readonly maxSizeBytes: number;
  readonly protectedFromMs: number;
}

/** What came of a clean-up. */
export type Collected =
  | { readonly state: 'busy' }
  | { readonly state: 'done'; readonly plan: CollectPlan; readonly removal: Removal };

/** Times of files come from a clock that ticks less often than the one that is compared with them. */
const clockTickMs = 100;

/** Decides what a clean-up would remove; changes nothing. */
export function planCollection(options: Omit<CollectOptions, 'waitMs'>): CollectPlan {
  const { projectDir, settings } = options;
  const store = new Store(projectDir);
  const liveRuns = listLiveRuns(store.dir);
  const protectedFromMs = Math.min(Date.now(), ...liveRuns.map((run) => run.startedMs)) - clockTickMs;
  const survey = surveyStore(store.dir);
  const needed = findNeeded(survey, store, { ...settings, projectDir, liveRuns });
  const maxSizeBytes = options.isLoweredToDisk
    ? lowerToDisk(settings.maxSizeBytes, store.dir, totalBytesOf(survey))
    : settings.maxSizeBytes;
  const garbage = chooseGarbage(survey, needed, { ...settings, maxSizeBytes }, protectedFromMs);
  return { survey, needed, garbage, maxSizeBytes, protectedFromMs };
}

/** How long the first of two that began at once waits for the second to give way. */
const giveWayMs = 250;

/** Makes this process the one that cleans a store up; undefined while another does. */
export async function enterCollection(storeDir: string): Promise<LiveMark | undefined> {
  const mark = enter(storeDir, 'gc');
  for (const endMs = performance.now() + giveWayMs; ; await sleep(10)) {
    const others = listLive(storeDir, 'gc').filter((name) => name !== mark.name);
    if (others.length === 0) return mark;
    // Of two that see each other, the later name gives way; one that was here before does not.
    if (others.some((name) => name < mark.name) || performance.now() > endMs) break;
  }
  mark.leave();
  return undefined;
}

/** Cleans a store up; one at a time does. */
export async function collectGarbage(options: CollectOptions): Promise<Collected> {
  const storeDir = join(options.projectDir, '.joyul');
  const turn = await enterCollection(storeDir);
  if (turn === undefined) return { state: 'busy' };
  try {
    const plan = planCollection(options);
    const removal = await removeGarbage(plan.survey, plan.needed, plan.garbage, {
      protectedFromMs: plan.protectedFromMs,
      waitMs: options.waitMs,
    });
    return { state: 'done', plan, removal };
  } finally {
    turn.leave();
  }
}
