import { join } from 'node:path';
import type { Event } from '../events/event.ts';
import { keptMark } from '../runs/kept-runs.ts';
import { readFileSync } from './file-calls.ts';
import { listNames, look } from './walk.ts';

/** One run's folder, as far as the store's care needs it. */
export interface SurveyedRun {
  readonly runId: string;
  readonly path: string;
  /** The pipeline's file, relative to the project; empty where the events do not say. */
  readonly pipelineFile: string;
  readonly sizeBytes: number;
  /** The size of its events when they were read. */
  readonly eventBytes: number;
  /** When it wrote last. */
  readonly usedMs: number;
  readonly isKept: boolean;
  /** Stored results that it used or made. */
  readonly fingerprints: readonly string[];
  /** How its steps ended; absent for a run that did not. */
  readonly counts?: Readonly<Record<string, number>>;
}

const fingerprintKey = '"fingerprint":"';
const fingerprintLength = 64;

/**
 * All fingerprints in a run's events.
 *
 * The text is searched, not parsed: events of large pipelines have megabytes. Inside a text of JSON the quotes of
 * the key are escaped, so only keys are found; a key of that name in what a step told keeps a little more.
 */
export function findFingerprints(text: string): readonly string[] {
  const found = new Set<string>();
  for (let at = text.indexOf(fingerprintKey); at !== -1; at = text.indexOf(fingerprintKey, at)) {
    at += fingerprintKey.length;
    const value = text.slice(at, at + fingerprintLength);
    if (/^[0-9a-f]{64}$/.test(value)) found.add(value);
  }
  return [...found];
}

/** The pipeline's file, from the first event, whose list of steps is long and comes after it. */
function findPipelineFile(text: string): string {
  const match = /^\{"kind":"run-started".{0,2000}?"file":("(?:[^"\\]|\\.)*")/s.exec(text.slice(0, 8192));
  return match?.[1] === undefined ? '' : (JSON.parse(match[1]) as string); // A string by the pattern.
}

function readCounts(text: string): SurveyedRun['counts'] {
  const line = text.slice(text.lastIndexOf('\n', text.length - 2) + 1);
  if (!line.includes('"kind":"run-ended"')) return undefined;
  try {
    const event = JSON.parse(line) as Event; // Written by the event writer.
    return event.kind === 'run-ended' ? event.counts : undefined;
  } catch {
    return undefined;
  }
}

/** Looks at one run; undefined when it is gone. */
export function surveyRun(runsDir: string, runId: string): SurveyedRun | undefined {
  const path = join(runsDir, runId);
  const folder = look(path, runId);
  if (folder?.isFolder !== true) return undefined;
  let [sizeBytes, isKept, usedMs, text] = [0, false, folder.modifiedMs, Buffer.alloc(0)];
  for (const name of listNames(path, () => undefined)) {
    const file = look(join(path, name), name);
    sizeBytes += file?.sizeBytes ?? 0;
    isKept ||= name === keptMark;
    if (file === undefined || name !== 'events.ndjson') continue;
    usedMs = file.modifiedMs;
    try {
      text = readFileSync(file.path);
    } catch {
      // What it used is unknown; the run is still a run.
    }
  }
  // Everything that is searched for is ASCII; only the name of the pipeline's file may not be.
  const ascii = text.toString('latin1');
  const counts = readCounts(ascii);
  return {
    runId,
    path,
    pipelineFile: findPipelineFile(text.subarray(0, 8192).toString()),
    sizeBytes,
    eventBytes: text.length,
    usedMs,
    isKept,
    fingerprints: findFingerprints(ascii),
    ...(counts === undefined ? {} : { counts }),
  };
}

/** All runs, the newest first. */
export function surveyRuns(storeDir: string): readonly SurveyedRun[] {
  const dir = join(storeDir, 'runs');
  return [...listNames(dir, () => undefined)]
    .sort((left, right) => (left < right ? 1 : -1))
    .flatMap((runId) => surveyRun(dir, runId) ?? []);
}
