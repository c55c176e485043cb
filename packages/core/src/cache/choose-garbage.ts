import type { Needed } from './find-needed.ts';
import { findLastUses } from './find-needed.ts';
import type { Survey, SurveyedRecord } from './survey.ts';
import type { SurveyedRun } from './survey-runs.ts';
import type { Found, FoundFolder } from './walk.ts';

/** How much may stay. */
export interface Limits {
  readonly maxSizeBytes: number;
  /** Since the last use. */
  readonly maxAgeMs: number;
}

/** What a clean-up removes. */
export interface Garbage {
  readonly records: readonly SurveyedRecord[];
  readonly runs: readonly SurveyedRun[];
  readonly scratch: readonly FoundFolder[];
  /** Files that only save time. */
  readonly shared: readonly Found[];
  /** Blobs that no record names once the records are gone. */
  readonly blobs: readonly Found[];
  readonly artifacts: readonly Found[];
  /** What dead processes left, and records that nobody can read. */
  readonly litter: readonly Found[];
  /** What is in the store before. */
  readonly totalBytes: number;
  readonly freedBytes: number;
  /** True when what must stay is larger than the limit. */
  readonly isOverLimit: boolean;
  /** When the next thing that may go reaches its age; absent when nothing will. */
  readonly nextExpiryMs?: number;
}

const sum = (items: Iterable<{ readonly sizeBytes: number }>): number => {
  let bytes = 0;
  for (const { sizeBytes } of items) bytes += sizeBytes;
  return bytes;
};

/** The size of everything in a store. */
export function totalBytesOf(survey: Survey): number {
  const { blobs, records, condemned, broken, artifacts, scratch, shared, runs, litter, otherBytes } = survey;
  return [
    blobs.values(),
    records.values(),
    condemned,
    broken,
    artifacts.values(),
    scratch.values(),
    shared,
    runs,
    litter,
  ]
    .map(sum)
    .reduce((total, bytes) => total + bytes, otherBytes);
}

/** Something that may go, with when it was last used. */
type Candidate = { readonly usedMs: number } & (
  | { readonly kind: 'record'; readonly item: SurveyedRecord }
  | { readonly kind: 'run'; readonly item: SurveyedRun }
  | { readonly kind: 'scratch'; readonly item: FoundFolder }
  | { readonly kind: 'shared'; readonly item: Found }
);

/** Counts who names each blob and each materialised artifact, and tells what the last name frees. */
class References {
  readonly #survey: Survey;
  readonly #blobs = new Map<string, number>();
  readonly #artifacts = new Map<string, number>();

  constructor(survey: Survey) {
    this.#survey = survey;
    for (const record of survey.records.values()) this.#add(record, 1);
  }

  #add(record: SurveyedRecord, amount: number): void {
    const count = (map: Map<string, number>, key: string): unknown =>
      map.set(key, (map.get(key) ?? 0) + amount);
    for (const output of record.outputs) {
      count(this.#artifacts, output.digest);
      for (const file of output.files) count(this.#blobs, file.digest);
    }
  }

  hasBlob(digest: string): boolean {
    return (this.#blobs.get(digest) ?? 0) > 0;
  }

  hasArtifact(digest: string): boolean {
    return (this.#artifacts.get(digest) ?? 0) > 0;
  }

  /** Takes a record away and gives the bytes that nobody names any more. */
  remove(record: SurveyedRecord): number {
    this.#add(record, -1);
    const blobs = new Set<string>();
    const artifacts = new Set<string>();
    for (const output of record.outputs) {
      if (!this.hasArtifact(output.digest)) artifacts.add(output.digest);
      for (const file of output.files) if (!this.hasBlob(file.digest)) blobs.add(file.digest);
    }
    const sizes = (names: Set<string>, map: ReadonlyMap<string, Found>): number =>
      sum([...names].flatMap((name) => map.get(name) ?? []));
    return record.sizeBytes + sizes(blobs, this.#survey.blobs) + sizes(artifacts, this.#survey.artifacts);
  }
}

function listCandidates(survey: Survey, needed: Needed, protectedFromMs: number): readonly Candidate[] {
  const uses = findLastUses(survey);
  const candidates: Candidate[] = [];
  for (const item of survey.records.values()) {
    const usedMs = Math.max(item.modifiedMs, uses.get(item.fingerprint) ?? 0);
    // A record that was written since a living run began may be that run's.
    if (!needed.fingerprints.has(item.fingerprint) && item.modifiedMs < protectedFromMs)
      candidates.push({ kind: 'record', item, usedMs });
  }
  for (const item of survey.runs)
    if (!needed.runs.has(item.runId) && item.usedMs < protectedFromMs)
      candidates.push({ kind: 'run', item, usedMs: item.usedMs });
  for (const item of survey.scratch.values())
    if (isIdle(item, survey, protectedFromMs) && !needed.fingerprints.has(item.name))
      candidates.push({ kind: 'scratch', item, usedMs: item.modifiedMs });
  // A run at work that uses one has set its time of change.
  for (const item of survey.shared)
    if (item.changedMs < protectedFromMs) candidates.push({ kind: 'shared', item, usedMs: item.modifiedMs });
  return candidates.sort((left, right) => left.usedMs - right.usedMs);
}

const isIdle = (scratch: FoundFolder, survey: Survey, protectedFromMs: number): boolean =>
  !survey.reserved.has(scratch.name) && scratch.changedMs < protectedFromMs;

/** Scratch folders that nothing can go on from: the step has succeeded since, or never wrote. */
function findUselessScratch(survey: Survey, protectedFromMs: number): readonly FoundFolder[] {
  return [...survey.scratch.values()].filter(
    (item) => isIdle(item, survey, protectedFromMs) && (survey.records.has(item.name) || item.files === 0),
  );
}

/**
 * Chooses what goes: litter, then what is too old, then the least recently used until the rest fits.
 *
 * Nothing changed after `protectedFromMs` is chosen. Pure.
 */
export function chooseGarbage(
  survey: Survey,
  needed: Needed,
  limits: Limits,
  protectedFromMs: number,
): Garbage {
  const references = new References(survey);
  const totalBytes = totalBytesOf(survey);
  const isOld = (item: Found): boolean => item.changedMs < protectedFromMs;
  const findStale = (): { readonly blobs: readonly Found[]; readonly artifacts: readonly Found[] } => ({
    blobs: [...survey.blobs.values()].filter((blob) => !references.hasBlob(blob.name) && isOld(blob)),
    artifacts: [...survey.artifacts.values()].filter(
      (item) => !references.hasArtifact(item.name) && isOld(item),
    ),
  });
  const useless = new Set(findUselessScratch(survey, protectedFromMs));
  const litter = [...survey.litter, ...survey.broken.filter(isOld)];
  const stale = findStale();
  const freedAtOnce =
    sum(useless) + sum(litter) + sum(survey.condemned) + sum(stale.blobs) + sum(stale.artifacts);
  let left = totalBytes - freedAtOnce;
  const chosen: Candidate[] = [];
  let nextExpiryMs: number | undefined;
  for (const candidate of listCandidates(survey, needed, protectedFromMs)) {
    if (candidate.kind === 'scratch' && useless.has(candidate.item)) continue;
    const isExpired = survey.takenMs - candidate.usedMs > limits.maxAgeMs;
    if (!isExpired && left <= limits.maxSizeBytes) {
      nextExpiryMs = candidate.usedMs + limits.maxAgeMs;
      break; // What follows was used later.
    }
    chosen.push(candidate);
    left -= candidate.kind === 'record' ? references.remove(candidate.item) : candidate.item.sizeBytes;
  }
  return {
    records: chosen.flatMap((item) => (item.kind === 'record' ? [item.item] : [])),
    runs: chosen.flatMap((item) => (item.kind === 'run' ? [item.item] : [])),
    scratch: [...useless, ...chosen.flatMap((item) => (item.kind === 'scratch' ? [item.item] : []))],
    shared: chosen.flatMap((item) => (item.kind === 'shared' ? [item.item] : [])),
    ...findStale(),
    litter,
    totalBytes,
    freedBytes: totalBytes - left,
    isOverLimit: left > limits.maxSizeBytes,
    ...(nextExpiryMs === undefined ? {} : { nextExpiryMs }),
  };
}
