import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ownMark } from '../../src/schedule/exclusive.ts';
import { claimRun, findClaimedFate, recordRunEnd } from '../../src/schedule/run-claim.ts';
import { readRunOutput } from '../../src/schedule/run-output.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'joyul-claim-'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

test('a run is claimed once', () => {
  expect([claimRun(dir, 1), claimRun(dir, 1)]).toEqual([true, false]);
  expect(findClaimedFate(dir, 1, false)).toEqual({ kind: 'running', processId: process.pid });
});

test('a run that was given up cannot be claimed any more, its next attempt can', () => {
  expect(findClaimedFate(dir, 1, false)).toEqual({ kind: 'never started' });
  expect(claimRun(dir, 1)).toBe(false);
  expect(claimRun(dir, 2)).toBe(true);
});

test('looking while its process is on its way gives nothing up', () => {
  expect(findClaimedFate(dir, 1, true)).toEqual({ kind: 'starting' });
  expect(claimRun(dir, 1)).toBe(true);
});

test('a run whose folder is gone cannot be claimed, and its end has no place', () => {
  rmSync(dir, { recursive: true });
  expect(claimRun(dir, 1)).toBe(false);
  recordRunEnd(dir, { exitCode: 0, endedMs: 1 });
  expect(existsSync(dir)).toBe(false);
  expect(findClaimedFate(dir, 1, false)).toEqual({ kind: 'never started' });
});

test('the end is what the process recorded; without a record it was killed', () => {
  const mark = { ...ownMark(), process: '4194304-1' };
  writeFileSync(join(dir, 'claim-1.json'), JSON.stringify(mark));
  expect(findClaimedFate(dir, 1, false)).toEqual({ kind: 'ended', end: undefined });
  recordRunEnd(dir, { exitCode: 3, endedMs: 7 });
  expect(findClaimedFate(dir, 1, false)).toEqual({ kind: 'ended', end: { exitCode: 3, endedMs: 7 } });
});

describe('what a run printed', () => {
  const print = (output: string, errors = ''): void => {
    writeFileSync(join(dir, 'out.ndjson'), output);
    writeFileSync(join(dir, 'err.log'), errors);
  };

  test('names the run and the first step that failed for good', () => {
    print(
      [
        '{"kind":"run-started","runId":"r1","params":{}}',
        '{"kind":"attempt-failed","stepId":"a","retryInMs":5,"failure":{"message":"once"}}',
        '{"kind":"attempt-failed","stepId":"a","failure":{"message":"twice"}}',
        '{"kind":"attempt-failed","stepId":"b","failure":{"message":"later"}}',
        '{"kind":"run-en',
      ].join('\n'),
      'a warning\n',
    );
    expect(readRunOutput(dir)).toEqual({ runId: 'r1', message: 'step a failed: twice' });
  });

  test('is the first error of a pipeline that has some, with its place', () => {
    print(
      '[{"severity":"warning","message":"w"},{"severity":"error","message":"m","file":"p.yaml","line":3,"column":5}]',
    );
    expect(readRunOutput(dir)).toEqual({ message: 'p.yaml:3:5 m' });
  });

  test('is the last line of what it said when it could not begin', () => {
    print('', 'Loading\nThere is no pipeline file p.yaml.\n');
    expect(readRunOutput(dir)).toEqual({ message: 'There is no pipeline file p.yaml.' });
  });

  test('may be nothing', () => {
    expect(readRunOutput(dir)).toEqual({});
  });

  test('is found at both ends of a long output', () => {
    const filler = `{"kind":"step-output","text":"${'x'.repeat(1000)}"}\n`.repeat(4000);
    print(
      `{"kind":"run-started","runId":"r2"}\n${filler}{"kind":"attempt-failed","stepId":"a","failure":{"message":"m"}}\n`,
    );
    expect(readRunOutput(dir)).toEqual({ runId: 'r2', message: 'step a failed: m' });
  });
});
