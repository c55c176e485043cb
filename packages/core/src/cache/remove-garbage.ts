/** Removes what was chosen, beside whatever else uses the store; `store/condemned.ts` says why it may. */
import { randomUUID } from 'node:crypto';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { actionFile } from '../store/action-record.ts';
import { condemn, condemnedDir, sweepSafely } from '../store/condemned.ts';
import { Reservations } from '../store/reservation.ts';
import type { LiveRun } from '../store/run-lease.ts';
import { listLiveRuns } from '../store/run-lease.ts';
import { codeOf } from '../util/files.ts';
import { realPlatform } from '../util/platform.ts';
import type { Garbage } from './choose-garbage.ts';
import {
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  rmdirSync,
  unlinkSync,
  utimesSync,
} from './file-calls.ts';
import type { Needed } from './find-needed.ts';
import type { Survey, SurveyedRecord } from './survey.ts';
import { readCondemned } from './survey.ts';
import { surveyRun } from './survey-runs.ts';
import type { Found } from './walk.ts';
import { listNames, look } from './walk.ts';

/** What a removal came to. */
export interface Removal {
  readonly freedBytes: number;
  /** Runs at work that may rely on the rest: it goes with the next clean-up after they ended. */
  readonly waitsFor: readonly string[];
}

/** How a removal is made. */
export interface RemoveOptions {
  /** Nothing that changed later goes. */
  readonly protectedFromMs: number;
  /** How long to wait for runs at work to say what they rely on. */
  readonly waitMs: number;
}

const byInode = (left: Found, right: Found): number => left.inode - right.inode;

/** Removes things so that nobody ever sees half of one: folders are moved away first. */
export class Bin {
  readonly #dir: string;
  readonly #taken: string[] = [];
  freedBytes = 0;

  constructor(storeDir: string) {
    this.#dir = join(storeDir, 'tmp', `${process.pid}-${randomUUID()}`);
  }

  /** Takes a file or folder away, where it still is. */
  take(found: Pick<Found, 'path' | 'sizeBytes' | 'isFolder'>): void {
    try {
      if (found.isFolder) this.#moveAway(found.path);
      else unlinkSync(found.path);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return;
      throw error;
    }
    this.freedBytes += found.sizeBytes;
  }

  #moveAway(path: string): void {
    mkdirSync(this.#dir, { recursive: true });
    const place = join(this.#dir, String(this.#taken.length));
    renameSync(path, place);
    this.#taken.push(place);
  }

  empty(): void {
    for (const place of this.#taken) rmSync(place, { recursive: true, force: true });
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

function removeLitter(garbage: Garbage, bin: Bin): void {
  for (const found of garbage.litter) bin.take(found);
}

/** Removes what interrupted steps left; nobody can begin such a step meanwhile. */
function removeScratch(survey: Survey, garbage: Garbage, bin: Bin): void {
  const reservations = new Reservations(survey.storeDir, realPlatform);
  for (const folder of garbage.scratch) {
    const reservation = reservations.try([folder.name]);
    if (reservation === undefined) continue;
    try {
      const now = look(folder.path, folder.name);
      if (now !== undefined && now.changedMs <= folder.changedMs) bin.take(folder);
    } finally {
      reservation.release();
    }
  }
}

/** Removes files that only save time, where they were not used since, and folders that are empty then. */
function removeShared(garbage: Garbage, bin: Bin): void {
  for (const file of garbage.shared) {
    const now = look(file.path, file.name);
    if (now === undefined || now.changedMs > file.changedMs) continue;
    bin.take(file);
    try {
      rmdirSync(dirname(file.path));
    } catch {
      // It holds others.
    }
  }
}

/** Removes old runs' folders; that they used a stored result is then told by its record's time. */
function removeRuns(survey: Survey, garbage: Garbage, bin: Bin): void {
  const gone = new Set(garbage.records.map((record) => record.fingerprint));
  for (const run of garbage.runs) {
    for (const fingerprint of run.fingerprints) {
      const record = survey.records.get(fingerprint);
      if (record === undefined || gone.has(fingerprint) || record.modifiedMs >= run.usedMs) continue;
      try {
        utimesSync(record.path, run.usedMs / 1000, run.usedMs / 1000);
      } catch {
        // It only seems to be used less recently.
      }
    }
    bin.take({ ...run, isFolder: true });
  }
}

/** Waits until every living run has seen a batch; gives those that have not. */
export async function awaitRuns(
  storeDir: string,
  batch: number,
  waitMs: number,
): Promise<readonly LiveRun[]> {
  for (const endMs = performance.now() + waitMs; ; await sleep(50)) {
    const open = listLiveRuns(storeDir).filter((run) => run.seen < batch);
    if (open.length === 0 || performance.now() >= endMs) return open;
  }
}

/** What runs rely on that were not known, or not whole, when the store was looked at. */
function findNewUses(survey: Survey): ReadonlySet<string> {
  const known = new Map(survey.runs.map((run) => [run.runId, run.eventBytes]));
  const uses = new Set(listLiveRuns(survey.storeDir).flatMap((run) => run.held));
  const dir = join(survey.storeDir, 'runs');
  for (const runId of listNames(dir)) {
    const size = look(join(dir, runId, 'events.ndjson'), runId)?.sizeBytes ?? 0;
    if (known.get(runId) === size) continue;
    for (const fingerprint of surveyRun(dir, runId)?.fingerprints ?? []) uses.add(fingerprint);
  }
  return uses;
}

/** Puts a record back where runs find it; false when there is another one under its fingerprint now. */
function rescue(storeDir: string, record: SurveyedRecord): boolean {
  const target = actionFile(storeDir, record.fingerprint);
  try {
    // Not a rename: it would write over a record that was made meanwhile.
    linkSync(record.path, target);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    if (!readFileSync(target).equals(readFileSync(record.path))) return false;
  }
  rmSync(record.path, { force: true });
  return true;
}

/** Blobs and artifacts that records name. */
function namesOf(records: Iterable<SurveyedRecord>): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { outputs } of records)
    for (const { digest, files } of outputs) {
      names.add(digest);
      for (const file of files) names.add(file.digest);
    }
  return names;
}

/** How many removals are made before others may put things in their place again. */
const sectionLength = 200;

/** Removes files and folders that are still as they should be; gives false when others did not let it. */
export function sweep(
  storeDir: string,
  items: readonly Found[],
  isStillGarbage: (now: Found) => boolean,
  bin: Bin,
): boolean {
  const ordered = items.toSorted(byInode);
  for (let at = 0; at < ordered.length; at += sectionLength) {
    const isDone = sweepSafely(storeDir, () => {
      for (const item of ordered.slice(at, at + sectionLength)) {
        const now = look(item.path, item.name);
        if (now !== undefined && isStillGarbage(now)) bin.take({ ...now, sizeBytes: item.sizeBytes });
      }
    });
    if (!isDone) return false;
  }
  return true;
}

/** Forgets records for good, and batches that are empty. */
export function forgetCondemned(storeDir: string, records: readonly SurveyedRecord[]): number {
  for (const record of records.toSorted(byInode)) rmSync(record.path, { force: true });
  const dir = condemnedDir(storeDir);
  for (const folder of [...listNames(dir).map((name) => join(dir, name)), dir]) {
    try {
      rmdirSync(folder);
    } catch {
      // It holds records that wait.
    }
  }
  return records.reduce((sum, record) => sum + record.sizeBytes, 0);
}

/** Removes what was chosen. Only one clean-up at a time may call it. */
export async function removeGarbage(
  survey: Survey,
  needed: Needed,
  garbage: Garbage,
  options: RemoveOptions,
): Promise<Removal> {
  const { storeDir } = survey;
  const bin = new Bin(storeDir);
  try {
    removeLitter(garbage, bin);
    removeScratch(survey, garbage, bin);
    removeShared(garbage, bin);
    removeRuns(survey, garbage, bin);
    const isMore = [garbage.records, garbage.blobs, garbage.artifacts, survey.condemned].some(
      (items) => items.length > 0,
    );
    if (!isMore) return { freedBytes: bin.freedBytes, waitsFor: [] };
    const batch = condemn(
      storeDir,
      garbage.records.map((record) => record.path),
    );
    const open = await awaitRuns(storeDir, batch, options.waitMs);
    const forgottenBytes = sweepCondemned({ survey, needed, garbage, bin, batch, open, options });
    return { freedBytes: bin.freedBytes + forgottenBytes, waitsFor: open.map((run) => run.runId) };
  } finally {
    bin.empty();
  }
}

/** The third step: what nobody can rely on any more goes. */
function sweepCondemned(work: {
  readonly survey: Survey;
  readonly needed: Needed;
  readonly garbage: Garbage;
  readonly bin: Bin;
  readonly batch: number;
  /** Runs that have not seen the batch. */
  readonly open: readonly LiveRun[];
  readonly options: RemoveOptions;
}): number {
  const { survey, needed, garbage, bin, open, options } = work;
  const { storeDir } = survey;
  const newestSafe = Math.min(work.batch, ...open.map((run) => run.seen));
  // Whatever the runs that were waited for decided on is in their events now.
  const uses = findNewUses(survey);
  const isAnyRunAtWork = listLiveRuns(storeDir).length > 0;
  const going: SurveyedRecord[] = [];
  const staying: SurveyedRecord[] = [];
  for (const record of readCondemned(storeDir)) {
    const isUsed = uses.has(record.fingerprint) || needed.fingerprints.has(record.fingerprint);
    const isRescued = isUsed && rescue(storeDir, record);
    const isUnsure = (record.batch ?? Number.MAX_SAFE_INTEGER) > newestSafe;
    // A used one with a newer record in its place is of use to the run that found it, and to none after it.
    if (isRescued || isUnsure || (isUsed && isAnyRunAtWork)) staying.push(record);
    else going.push(record);
  }
  const condemned = new Set(garbage.records.map((record) => record.fingerprint));
  const kept = [...survey.records.values()].filter((record) => !condemned.has(record.fingerprint));
  const named = namesOf([...kept, ...staying]);
  // What no record names may have been found good by a run that has not seen this batch.
  const sure = open.length === 0 ? undefined : namesOf(going);
  const isGoing = (item: Found): boolean => !named.has(item.name) && sure?.has(item.name) !== false;
  const isUntouched = (now: Found): boolean => now.changedMs < options.protectedFromMs;
  const isDone =
    sweep(storeDir, garbage.blobs.filter(isGoing), isUntouched, bin) &&
    sweep(storeDir, garbage.artifacts.filter(isGoing), isUntouched, bin);
  // The batch tells others to be careful: it stays until the last blob has gone.
  return isDone ? forgetCondemned(storeDir, going) : 0;
}
