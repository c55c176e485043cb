/** Finds and reads the event files of a project's runs. */
import { closeSync, existsSync, fstatSync, openSync, readFileSync, readSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Event } from '../events/event.ts';
import { findOpenEnd, makeRunRecord } from './run-record.ts';
import type { RunEnd, RunRecord } from './run-record.ts';

const runsDir = (projectDir: string): string => join(projectDir, '.joyul', 'runs');

/** Where a run's events are. */
export const eventsFile = (projectDir: string, runId: string): string =>
  join(runsDir(projectDir), runId, 'events.ndjson');

/** Lines that only a reader of logs needs; most bytes of a large file are theirs. */
const outputLine = '{"kind":"step-output"';

/** One line of an event file; undefined for one that a crash tore. */
export function parseEvent(line: string): Event | undefined {
  try {
    return JSON.parse(line) as Event; // Written by the event writer.
  } catch {
    return undefined;
  }
}

/** The events of a run, one after the other; a last line that a crash tore is left out. */
export function* readEvents(
  file: string,
  options: { readonly hasOutput: boolean } = { hasOutput: true },
): Generator<Event> {
  const text = readFileSync(file, 'utf8');
  for (let from = 0; from < text.length;) {
    const newline = text.indexOf('\n', from);
    const to = newline < 0 ? text.length : newline;
    const isSkipped = to === from || (!options.hasOutput && text.startsWith(outputLine, from));
    const event = isSkipped ? undefined : parseEvent(text.slice(from, to));
    if (!isSkipped && event === undefined) return;
    if (event !== undefined) yield event;
    from = to + 1;
  }
}

/** Ids of all runs of a project, the newest last. */
export function listRunIds(projectDir: string): readonly string[] {
  const dir = runsDir(projectDir);
  return existsSync(dir)
    ? readdirSync(dir)
        .filter((name) => existsSync(join(dir, name, 'events.ndjson')))
        .sort()
    : [];
}

/** The id that a person means by a run's id, its end, or `last`; undefined where there is none. */
export function findRunId(projectDir: string, name: string): string | undefined {
  const ids = listRunIds(projectDir);
  if (name === 'last') return ids.at(-1);
  return ids.find((id) => id === name) ?? ids.findLast((id) => id.endsWith(name));
}

/** The record of a run: `last` means the newest; undefined where there is none. */
export function readRunRecord(projectDir: string, name: string): RunRecord | undefined {
  const id = findRunId(projectDir, name);
  return id === undefined ? undefined : readRecordOf(projectDir, id);
}

/** The record of a run whose whole id is known; undefined without a start. */
export function readRecordOf(projectDir: string, runId: string): RunRecord | undefined {
  const file = eventsFile(projectDir, runId);
  const record = makeRunRecord(readEvents(file, { hasOutput: false }));
  // How long an open run has gone on may be told by a line of output alone.
  return record?.end === 'running' || record?.end === 'interrupted'
    ? makeRunRecord(readEvents(file))
    : record;
}

/** What a list of runs shows of one. */
export interface RunHead {
  readonly runId: string;
  readonly pipeline: string;
  readonly file: string;
  /** The run that it goes on with; absent for one of its own. */
  readonly resumes?: string;
  /** The process that runs it or ran it. */
  readonly process: string;
  readonly startedMs: number;
  readonly durationMs: number;
  readonly end: RunEnd;
  readonly steps: number;
  readonly reused: number;
}

/** How much is read at once from either end of an event file. */
const chunkBytes = 1 << 16;

function readFirstLine(handle: number): string {
  const parts: Buffer[] = [];
  for (let at = 0; ; at += chunkBytes) {
    const buffer = Buffer.allocUnsafe(chunkBytes);
    const part = buffer.subarray(0, readSync(handle, buffer, 0, chunkBytes, at));
    const newline = part.indexOf(0x0a);
    parts.push(newline < 0 ? part : part.subarray(0, newline));
    if (newline >= 0 || part.length === 0) return Buffer.concat(parts).toString();
  }
}

function readLastLine(handle: number): string {
  const size = fstatSync(handle).size;
  const length = Math.min(size, chunkBytes);
  const buffer = Buffer.allocUnsafe(length);
  readSync(handle, buffer, 0, length, size - length);
  const text = buffer.toString().trimEnd();
  return text.slice(text.lastIndexOf('\n') + 1);
}

/** Ids of the steps of a run, from the first line of its events. */
export function readStepIds(projectDir: string, runId: string): readonly string[] {
  const handle = openSync(eventsFile(projectDir, runId), 'r');
  try {
    const start = parseEvent(readFirstLine(handle));
    return start?.kind === 'run-started' ? start.steps.map((step) => step.stepId) : [];
  } finally {
    closeSync(handle);
  }
}

/** What a list of runs shows of one, from the first and the last line of its events; undefined without a start. */
export function readRunHead(projectDir: string, runId: string): RunHead | undefined {
  const handle = openSync(eventsFile(projectDir, runId), 'r');
  try {
    const start = parseEvent(readFirstLine(handle));
    if (start?.kind !== 'run-started') return undefined;
    const { pipeline, file, resumes, timeMs } = start;
    const head = {
      runId,
      pipeline,
      file,
      ...(resumes === undefined ? {} : { resumes }),
      process: start.process,
      startedMs: timeMs,
      steps: start.steps.length,
    };
    const last = parseEvent(readLastLine(handle));
    if (last?.kind === 'run-ended')
      return { ...head, durationMs: last.durationMs, end: last.end, reused: last.counts.reused };
    const record = readRecordOf(projectDir, runId);
    return {
      ...head,
      durationMs: record?.durationMs ?? 0,
      end: findOpenEnd(start),
      reused: record?.steps.filter((step) => step.end === 'reused').length ?? 0,
    };
  } finally {
    closeSync(handle);
  }
}
