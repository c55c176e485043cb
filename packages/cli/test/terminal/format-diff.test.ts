import { plainMarks } from '@joyul/core';
import type { RunComparison } from '@joyul/core';
import { expect, test } from 'vitest';
import { formatDiff } from '../../src/terminal/format-diff.ts';
import { formatTime } from '../../src/terminal/format-why.ts';
import { makeStyle } from '../../src/terminal/style.ts';

const run = (runId: string, durationMs: number): RunComparison['before'] => ({
  runId,
  pipeline: 'words',
  end: 'succeeded',
  startedMs: 0,
  durationMs,
});

test('causes come first, then effects with their shares, then the steps', () => {
  const change = { field: 'params.lr', before: 0.1, after: 0.2 };
  const metric = {
    name: 'f1',
    before: 0.8,
    after: 0.84,
    difference: 0.04,
    relative: 0.05,
    direction: 'up',
  } as const;
  const nothing = { changes: [], metrics: [] };
  const comparison: RunComparison = {
    before: run('r1', 3000),
    after: run('r2', 4000),
    causes: [{ stepId: 'train', changes: [change] }],
    effects: [{ stepId: 'train', metrics: [metric] }],
    steps: [
      {
        stepId: 'prepare',
        state: 'same',
        ends: { before: 'reused', after: 'reused' },
        durationMs: {},
        ...nothing,
      },
      {
        stepId: 'train',
        state: 'changed',
        ends: { before: 'succeeded', after: 'succeeded' },
        durationMs: { before: 2000, after: 2500 },
        changes: [change],
        metrics: [metric],
      },
      {
        stepId: 'draw',
        state: 'unstable',
        ends: { before: 'succeeded', after: 'succeeded' },
        durationMs: {},
        ...nothing,
      },
      {
        stepId: 'test',
        state: 'unknown',
        ends: { before: 'failed', after: 'succeeded' },
        durationMs: { after: 100 },
        ...nothing,
      },
      { stepId: 'old', state: 'only before', ends: { before: 'reused' }, durationMs: {}, ...nothing },
    ],
  };
  const lines = formatDiff(comparison, { marks: plainMarks, style: makeStyle(false), width: 100 });
  const time = formatTime(0);
  expect(lines.join('\n')).toBe(`- r1  ${time}  succeeded in 3.0 s
+ r2  ${time}  succeeded in 4.0 s

What was changed:
  train  params.lr changed from 0.1 to 0.2

What came of it:
  step   metric  before  after  difference
  train  f1         0.8   0.84  ↑ +0.04     +5 %

Steps that differ:
  step   how                                      took
  train  changed                                  2.0 s → 2.5 s
  draw   gave other content from the same inputs  succeeded → succeeded
  test   failed → succeeded                       failed → 0.1 s
  old    only in the first run                    reused

1 of 5 steps are the same.`);
});
