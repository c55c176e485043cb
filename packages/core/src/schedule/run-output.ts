import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../util/files.ts';
import { parseJson } from './exclusive.ts';

/** What a run prints as JSON, and what it prints for people, in its folder. */
export const outputFile = 'out.ndjson';
export const errorFile = 'err.log';

/** How much of each end of the output is looked at: what is sought stands there. */
const partBytes = 1 << 20;

/** What a run's output tells about it. */
export interface RunOutput {
  readonly runId?: string;
  /** What went wrong first, in words. */
  readonly message?: string;
}

interface OutputEvent {
  readonly kind?: string;
  readonly stepId?: string;
  readonly retryInMs?: number;
  readonly failure?: { readonly message?: string };
}

interface PrintedDiagnostic {
  readonly severity: string;
  readonly message: string;
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
}

function readParts(file: string): { readonly head: string; readonly tail: string } | undefined {
  let handle: number;
  try {
    handle = openSync(file, 'r');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const size = fstatSync(handle).size;
    const read = (position: number): string => {
      const buffer = Buffer.alloc(Math.min(partBytes, size - position));
      return buffer.subarray(0, readSync(handle, buffer, 0, buffer.length, position)).toString();
    };
    return { head: read(0), tail: read(Math.max(0, size - partBytes)) };
  } finally {
    closeSync(handle);
  }
}

/** Reads what `joyul run --json` printed: events of a run, or the diagnostics of a pipeline with errors. */
export function readRunOutput(dir: string): RunOutput {
  const { head, tail } = readParts(join(dir, outputFile)) ?? { head: '', tail: '' };
  const runId = /"runId":"([^"]+)"/.exec(head)?.[1];
  const message = findDiagnostic(head) ?? findFailure(tail) ?? findLastLine(join(dir, errorFile));
  return {
    ...(runId === undefined ? {} : { runId }),
    ...(message === undefined ? {} : { message }),
  };
}

function findDiagnostic(text: string): string | undefined {
  if (!text.startsWith('[')) return undefined;
  const all = parseJson(text) as readonly PrintedDiagnostic[] | undefined; // Printed by our own command.
  const first = all?.find(({ severity }) => severity === 'error');
  if (first === undefined) return undefined;
  const place = [first.file, first.line, first.column].filter((part) => part !== undefined).join(':');
  return `${place === '' ? '' : `${place} `}${first.message}`;
}

function findFailure(lines: string): string | undefined {
  for (const line of lines.split('\n')) {
    if (!line.includes('"attempt-failed"')) continue;
    const event = parseJson(line) as OutputEvent | undefined; // Printed by our own command.
    if (event?.kind !== 'attempt-failed' || event.retryInMs !== undefined) continue;
    return `step ${event.stepId ?? ''} failed: ${event.failure?.message ?? 'no reason was given'}`;
  }
  return undefined;
}

/** What a command that could not begin says about it. */
function findLastLine(file: string): string | undefined {
  const line = readParts(file)?.tail.trimEnd().split('\n').at(-1);
  return line === '' ? undefined : line;
}
