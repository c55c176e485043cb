import { plainMarks } from '@joyul/core';
import type { Cause, Why } from '@joyul/core';
import { expect, test } from 'vitest';
import { formatGroupWhy, formatTime, formatWhy } from '../../src/terminal/format-why.ts';
import { makeStyle } from '../../src/terminal/style.ts';

const options = { marks: plainMarks, style: makeStyle(false), width: 200 };
const never =
  'Left out on purpose: times, host, user and absolute paths; resources, retries, timeouts and the number of jobs; the step id and its place in the pipeline, except for the seed; values of secrets.';

const make = (more: Partial<Why>): Why => ({
  step: { stepId: 'train', plugin: 'fake', needs: [], action: 'run', reason: 'input data has other content' },
  group: 'train',
  changes: [],
  causes: [],
  roots: [],
  leftOut: [],
  ...more,
});

const source = { field: 'files.a.csv', before: 'd1', after: 'd2' };
const prepare: Cause = {
  stepId: 'prepare',
  ports: ['data'],
  state: 'ran',
  reason: 'file a.csv has other content',
  changes: [source],
  causes: [],
};

test('an input that changed leads to the step and the field in which it began', () => {
  const input = { field: 'inputs.data', before: ['x'], after: ['y'] };
  const why = make({
    since: 'last success',
    changes: [input],
    causes: [prepare],
    roots: [{ stepId: 'prepare', changes: [source] }],
    leftOut: ['timeout (60 s)'],
  });
  expect(formatWhy(why, options).join('\n')).toBe(`train would run.

How that reaches train:
  data ← prepare ran again
    file a.csv has other content

${never}
Here these are: timeout (60 s).`);
});

test('a change further back is named before the chain that leads to it', () => {
  const middle: Cause = { ...prepare, stepId: 'split', changes: [], causes: [prepare] };
  const why = make({ causes: [middle], roots: [{ stepId: 'prepare', changes: [source] }] });
  expect(formatWhy(why, options).slice(2, 9).join('\n')).toBe(`It comes from:
  prepare  file a.csv has other content

How that reaches train:
  data ← split ran again
    data ← prepare ran again
      file a.csv has other content`);
});

test('a step that is told twice is explained once', () => {
  const { causes: _causes, ...again } = prepare;
  const lines = formatWhy(make({ causes: [prepare, { ...again, ports: ['test'] }] }), options);
  expect(lines).toContain('  test ← prepare ran again (told above)');
});

test('a reused step names the run that made it', () => {
  const step = { ...make({}).step, action: 'reuse', reason: 'nothing that decides it has changed' } as const;
  const origin = { runId: 'r1', timeMs: 0, durationMs: 3000, reason: 'it has not run here before' };
  expect(formatWhy(make({ step, origin }), options).slice(0, 2)).toEqual([
    'train would be reused: nothing that decides it has changed.',
    `Run r1 made it on ${formatTime(0)} in 3.0 s, because it has not run here before.`,
  ]);
});

test('of many causes the first are told, and the others counted', () => {
  const causes = Array.from({ length: 20 }, (_, at): Cause => ({
    ...prepare,
    stepId: `p${at}`,
    changes: [],
  }));
  const lines = formatWhy(make({ causes }), options);
  expect(lines.filter((line) => line.includes('←'))).toHaveLength(12);
  expect(lines).toContain('  and 8 more');
});

test('instances of a matrix are a table', () => {
  const whys = ['train@lr=0.1', 'train@lr=0.01'].map((stepId) =>
    make({ step: { ...make({}).step, stepId }, roots: [{ stepId: 'prepare', changes: [source] }] }),
  );
  expect(formatGroupWhy(whys, options).join('\n')).toBe(`step           verdict    reason
train@lr=0.1   would run  input data has other content
train@lr=0.01  would run  input data has other content

It comes from:
  prepare  file a.csv has other content`);
});
