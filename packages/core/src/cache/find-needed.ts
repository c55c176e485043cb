import { existsSync } from './file-calls.ts';
import { resolve } from 'node:path';
import { lastRecordsFile, readLastRecords } from '../plan/last-records.ts';
import type { LiveRun } from '../store/run-lease.ts';
import type { Store } from '../store/store.ts';
import type { Survey, SurveyedRecord } from './survey.ts';
import type { SurveyedRun } from './survey-runs.ts';
import { listNames } from './walk.ts';
import { join } from 'node:path';

/** Why something in the store must stay. */
export type Need = 'kept run' | 'recent run' | 'running' | 'last result' | 'deployed';

/** What must stay, and why. */
export interface Needed {
  /** Stored results; the first reason that holds. */
  readonly fingerprints: ReadonlyMap<string, Need>;
  readonly runs: ReadonlyMap<string, Need>;
}

/** What decides what must stay. */
export interface NeedOptions {
  readonly projectDir: string;
  /** The newest runs of each pipeline that stay. */
  readonly keepRuns: number;
  /** A pipeline whose file is gone is forgotten after this time without a run. */
  readonly maxAgeMs: number;
  readonly liveRuns: readonly LiveRun[];
}

/** Pipelines whose file is gone and that have not run for long: nothing is kept for them. */
function findForgotten(
  runs: readonly SurveyedRun[],
  options: NeedOptions,
  nowMs: number,
): ReadonlySet<string> {
  const newest = new Map<string, number>();
  for (const run of runs)
    newest.set(run.pipelineFile, Math.max(run.usedMs, newest.get(run.pipelineFile) ?? 0));
  return new Set(
    [...newest].flatMap(([file, usedMs]) =>
      file !== '' && nowMs - usedMs > options.maxAgeMs && !existsSync(resolve(options.projectDir, file))
        ? [file]
        : [],
    ),
  );
}

function findNeededRuns(
  survey: Survey,
  options: NeedOptions,
  forgotten: ReadonlySet<string>,
): Map<string, Need> {
  const needed = new Map<string, Need>();
  const counts = new Map<string, number>();
  const live = new Set(options.liveRuns.map((run) => run.runId));
  for (const run of survey.runs) {
    // The last run of each pipeline stays whatever was asked for.
    const count = (counts.get(run.pipelineFile) ?? 0) + 1;
    counts.set(run.pipelineFile, count);
    const isRecent = count <= Math.max(1, options.keepRuns) && !forgotten.has(run.pipelineFile);
    if (run.isKept) needed.set(run.runId, 'kept run');
    else if (live.has(run.runId)) needed.set(run.runId, 'running');
    else if (isRecent) needed.set(run.runId, 'recent run');
  }
  return needed;
}

/** True when what a step wrote into the project is still there, as the record has it. */
function isDeployed(record: SurveyedRecord, store: Store, projectDir: string): boolean {
  return record.outputs.some(({ workspacePath, ...artifact }) => {
    if (workspacePath === undefined) return false;
    try {
      return store.hasContent(join(projectDir, workspacePath), artifact);
    } catch {
      return false; // It may not be read: it is not what this user deployed.
    }
  });
}

/** Finds what must stay. */
export function findNeeded(survey: Survey, store: Store, options: NeedOptions): Needed {
  const forgotten = findForgotten(survey.runs, options, survey.takenMs);
  const runs = findNeededRuns(survey, options, forgotten);
  const fingerprints = new Map<string, Need>();
  const add = (fingerprint: string, need: Need): void => {
    if (!fingerprints.has(fingerprint)) fingerprints.set(fingerprint, need);
  };
  for (const wanted of ['kept run', 'recent run', 'running'] as const)
    for (const run of survey.runs)
      if (runs.get(run.runId) === wanted)
        for (const fingerprint of run.fingerprints) add(fingerprint, wanted);
  for (const run of options.liveRuns) for (const fingerprint of run.held) add(fingerprint, 'running');
  const forgottenFiles = new Set([...forgotten].map((file) => lastRecordsFile(survey.storeDir, file)));
  for (const name of listNames(join(survey.storeDir, 'last'))) {
    const file = join(survey.storeDir, 'last', name);
    if (forgottenFiles.has(file)) continue;
    for (const fingerprint of Object.values(readLastRecords(file))) add(fingerprint, 'last result');
  }
  for (const record of survey.records.values())
    if (!fingerprints.has(record.fingerprint) && isDeployed(record, store, options.projectDir))
      add(record.fingerprint, 'deployed');
  return { fingerprints, runs };
}

/** When each stored result was last used, as the runs that are there tell it; results that none tells are left out. */
export function findLastUses(survey: Survey): ReadonlyMap<string, number> {
  const uses = new Map<string, number>();
  for (const run of survey.runs)
    for (const fingerprint of run.fingerprints)
      uses.set(fingerprint, Math.max(run.usedMs, uses.get(fingerprint) ?? 0));
  return uses;
}
