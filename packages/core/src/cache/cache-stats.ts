import type { CollectPlan } from './collect-garbage.ts';
import type { Need } from './find-needed.ts';
import { findLastUses } from './find-needed.ts';

/** How many there are of something, and their size. */
export interface Amount {
  readonly count: number;
  readonly sizeBytes: number;
}

/** What a store holds, for people and programs. */
export interface CacheStats {
  readonly totalBytes: number;
  readonly blobs: Amount;
  readonly records: Amount;
  /** `sizeBytes` is what they hold beside links to blobs. */
  readonly artifacts: Amount;
  readonly scratch: Amount;
  /** Files that only save time, such as states of frozen layers. */
  readonly shared: Amount;
  readonly runs: Amount;
  /** Work of living processes, and small files of the store itself. */
  readonly otherBytes: number;
  /** What dead processes left. */
  readonly litter: Amount;
  /** Stored results that must stay, by the first reason that holds; sizes are of blobs that no earlier reason has. */
  readonly needed: Readonly<Record<Need, Amount>>;
  readonly unneeded: Amount;
  /** What a clean-up would remove now. */
  readonly wouldRemove: {
    readonly sizeBytes: number;
    readonly records: number;
    readonly runs: number;
    readonly blobs: number;
  };
  readonly isOverLimit: boolean;
  readonly maxSizeBytes: number;
  /** Last uses of the stored results; absent where there are none. */
  readonly oldestUseMs?: number;
  readonly newestUseMs?: number;
  /** How the steps of the newest runs that ended went. */
  readonly recent: { readonly runs: number; readonly reused: number; readonly ran: number };
  readonly refused: readonly string[];
}

/** Runs whose hits are counted. */
const recentRuns = 10;

const amountOf = (items: Iterable<{ readonly sizeBytes: number }>): Amount => {
  let [count, sizeBytes] = [0, 0];
  for (const item of items) {
    count++;
    sizeBytes += item.sizeBytes;
  }
  return { count, sizeBytes };
};

const needs = ['kept run', 'recent run', 'running', 'last result', 'deployed'] as const;

/** Shares the blobs out among the reasons for which records stay; each blob counts once. */
function shareOut({ survey, needed }: CollectPlan): Pick<CacheStats, 'needed' | 'unneeded'> {
  const seen = new Set<string>();
  const share = (need: Need | undefined): Amount => {
    let [count, sizeBytes] = [0, 0];
    for (const record of survey.records.values()) {
      if (needed.fingerprints.get(record.fingerprint) !== need) continue;
      count++;
      for (const { files } of record.outputs)
        for (const { digest } of files) {
          if (!seen.has(digest)) sizeBytes += survey.blobs.get(digest)?.sizeBytes ?? 0;
          seen.add(digest);
        }
    }
    return { count, sizeBytes };
  };
  const shares = Object.fromEntries(needs.map((need) => [need, share(need)])) as Record<Need, Amount>; // One for each need.
  return { needed: shares, unneeded: share(undefined) };
}

function countRecent({ survey }: CollectPlan): CacheStats['recent'] {
  const ended = survey.runs
    .flatMap((run) => (run.counts === undefined ? [] : [run.counts]))
    .slice(0, recentRuns);
  const total = (kind: string): number => ended.reduce((sum, counts) => sum + (counts[kind] ?? 0), 0);
  return { runs: ended.length, reused: total('reused'), ran: total('succeeded') + total('failed') };
}

/** Sums a store up from what a clean-up sees. */
export function summarizeCache(plan: CollectPlan): CacheStats {
  const { survey, garbage } = plan;
  const runUses = findLastUses(survey);
  const [first, ...others] = [...survey.records.values()].map((record) =>
    Math.max(record.modifiedMs, runUses.get(record.fingerprint) ?? 0),
  );
  const uses = others.reduce(
    ([oldest, newest], use) => [Math.min(oldest, use), Math.max(newest, use)] as const,
    [first ?? 0, first ?? 0] as const,
  );
  return {
    totalBytes: garbage.totalBytes,
    blobs: amountOf(survey.blobs.values()),
    records: amountOf([...survey.records.values(), ...survey.condemned, ...survey.broken]),
    artifacts: amountOf(survey.artifacts.values()),
    scratch: amountOf(survey.scratch.values()),
    shared: amountOf(survey.shared),
    runs: amountOf(survey.runs),
    otherBytes: survey.otherBytes,
    litter: amountOf(survey.litter),
    ...shareOut(plan),
    wouldRemove: {
      sizeBytes: garbage.freedBytes,
      records: garbage.records.length,
      runs: garbage.runs.length,
      blobs: garbage.blobs.length,
    },
    isOverLimit: garbage.isOverLimit,
    maxSizeBytes: plan.maxSizeBytes,
    ...(first === undefined ? {} : { oldestUseMs: uses[0], newestUseMs: uses[1] }),
    recent: countRecent(plan),
    refused: survey.refused,
  };
}
