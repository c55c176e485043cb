import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { eventsFile, findRunId, readRunHead, readRunRecord, readStepIds } from '../../src/runs/run-files.ts';
import { EventFollower, LogReader } from '../../src/runs/read-log.ts';
import { ownProcess } from '../../src/util/processes.ts';

let project = '';
beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), 'joyul-runs-'));
});
afterEach(() => {
  rmSync(project, { recursive: true });
});

const started = {
  kind: 'run-started',
  runId: 'r1',
  pipeline: 'words',
  file: 'pipeline.yaml',
  joyulVersion: '0.1.0',
  nodeVersion: '26',
  process: '999999999-1',
  flags: [],
  seed: 1,
  params: {},
  steps: [{ stepId: 'a', plugin: 'command', needs: [], action: 'unknown', reason: '' }],
};
const begun = { kind: 'step-started', stepId: 'a', attempt: 1, fingerprint: 'f', reason: 'it is new' };
const said = (text: string): object => ({ kind: 'step-output', stepId: 'a', stream: 'stdout', text });
const stepEnded = {
  kind: 'step-ended',
  stepId: 'a',
  end: 'succeeded',
  reason: 'it is new',
  outputs: [],
  durationMs: 5,
};
const runEnded = { kind: 'run-ended', end: 'succeeded', counts: { reused: 0 }, durationMs: 9 };

function writeRun(runId: string, bodies: readonly object[], tail = ''): string {
  const file = eventsFile(project, runId);
  mkdirSync(dirname(file), { recursive: true });
  const lines = bodies.map((body, at) => JSON.stringify({ ...body, sequence: at, timeMs: 1000 + at }));
  writeFileSync(file, `${lines.join('\n')}\n${tail}`);
  return file;
}

test('a record is made of the events, lines of output or not', () => {
  writeRun('r1', [started, begun, said('hello'), stepEnded, runEnded]);
  expect(readRunRecord(project, 'last')).toMatchObject({
    end: 'succeeded',
    durationMs: 9,
    steps: [{ stepId: 'a', end: 'succeeded', startedMs: 1001, endedMs: 1003, attempts: 1, durationMs: 5 }],
  });
});

test('a line that a crash tore ends the record, and its run is interrupted', () => {
  writeRun('r1', [started, begun, said('hello')], '{"kind":"step-en');
  expect(readRunRecord(project, 'r1')).toMatchObject({ end: 'interrupted', durationMs: 2 });
});

describe('a run whose process is told', () => {
  const own = ownProcess();

  test('runs while that lives', () => {
    writeRun('r1', [{ ...started, process: own }, begun]);
    expect(readRunRecord(project, 'r1')?.end).toBe('running');
    expect(readRunHead(project, 'r1')?.end).toBe('running');
  });

  test.skipIf(own.endsWith('-'))('was interrupted when its id belongs to a later process', () => {
    writeRun('r1', [{ ...started, process: `${process.pid}-1` }, begun]);
    expect(readRunRecord(project, 'r1')?.end).toBe('interrupted');
  });
});

test('a list shows what the record has, from the first and the last line', () => {
  writeRun('r1', [started, begun, stepEnded, runEnded]);
  const { end, durationMs, steps, reused } = readRunHead(project, 'r1') ?? {};
  expect({ end, durationMs, steps, reused }).toEqual({
    end: 'succeeded',
    durationMs: 9,
    steps: 1,
    reused: 0,
  });
});

test('the first line may be long', () => {
  const steps = Array.from({ length: 5000 }, (_, at) => ({ ...started.steps[0], stepId: `step-${at}` }));
  writeRun('r1', [{ ...started, steps }, runEnded]);
  expect(readRunHead(project, 'r1')?.steps).toBe(5000);
  expect(readStepIds(project, 'r1').at(-1)).toBe('step-4999');
});

test('the end of an id means the newest run that has it', () => {
  writeRun('20260101-aa11', [started]);
  writeRun('20260102-bb11', [started]);
  expect([findRunId(project, '11'), findRunId(project, '20260101-aa11'), findRunId(project, 'zz')]).toEqual([
    '20260102-bb11',
    '20260101-aa11',
    undefined,
  ]);
});

describe('following', () => {
  test('gives what was added, whole lines and whole characters only', () => {
    const file = writeRun('r1', [started, begun]);
    const follower = new EventFollower(file);
    expect(follower.read()).toHaveLength(2);
    const line = Buffer.from(`${JSON.stringify({ ...said('조율'), sequence: 2, timeMs: 3 })}\n`);
    appendFileSync(file, line.subarray(0, line.indexOf(0xec) + 1));
    expect(follower.read()).toEqual([]);
    appendFileSync(file, line.subarray(line.indexOf(0xec) + 1));
    expect(follower.read()).toMatchObject([{ text: '조율' }]);
  });

  test('goes on until the run ends', () => {
    const own = `${process.pid}-`;
    const file = writeRun('r1', [{ ...started, process: own }, begun]);
    const follower = new EventFollower(file);
    follower.read();
    expect(follower.isOpen()).toBe(true);
    appendFileSync(file, `${JSON.stringify({ ...runEnded, sequence: 2, timeMs: 3 })}\n`);
    follower.read();
    expect(follower.isOpen()).toBe(false);
  });
});

test('a line of output belongs to the attempt that was begun last', () => {
  const reader = new LogReader();
  const at = { sequence: 0, timeMs: 1 };
  reader.read({ ...begun, kind: 'step-started', attempt: 2, ...at });
  expect(reader.read({ kind: 'step-output', stepId: 'a', stream: 'stderr', text: 'oh', ...at })).toEqual({
    timeMs: 1,
    stepId: 'a',
    attempt: 2,
    source: 'stderr',
    text: 'oh',
  });
});
