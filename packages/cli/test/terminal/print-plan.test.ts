import type { Preview, PreviewedStep } from '@joyul/core';
import { expect, test } from 'vitest';
import { formatPlan, wouldRun } from '../../src/terminal/print-plan.ts';
import { makeStyle } from '../../src/terminal/style.ts';

const step = (stepId: string, more: Partial<PreviewedStep> = {}): PreviewedStep => ({
  stepId,
  plugin: 'fake',
  needs: [],
  action: 'reuse',
  reason: 'nothing that decides it has changed',
  ...more,
});
const tell = (preview: Preview, width = 100): string =>
  formatPlan(preview, makeStyle(false), width).join('\n');

test('a run that would reuse everything is one line', () => {
  const preview = { steps: [step('a'), step('b')], unknownDurations: [] };
  expect(tell(preview)).toBe('✓ All 2 steps would be reused; nothing would run.');
  expect(wouldRun(preview)).toBe(false);
});

test('what would be put back is told', () => {
  expect(tell({ steps: [step('a', { restores: ['out/a'] }), step('b')], unknownDurations: [] })).toBe(
    `✓ All 2 steps would be reused; nothing would run.
↺ out/a would be put back as a made it.`,
  );
});

test('the time has a column and a total when it is known', () => {
  const preview: Preview = {
    steps: [
      step('prepare'),
      step('train', { action: 'run', reason: 'params.epochs changed from 2 to 3', expectedMs: 125_000 }),
      step('test', { action: 'unknown', reason: 'it depends on what train gives', expectedMs: 3000 }),
    ],
    expectedMs: 128_000,
    unknownDurations: [],
  };
  expect(tell(preview)).toBe(`prepare  reuse                 nothing that decides it has changed
train    run       ~2 min 5 s  params.epochs changed from 2 to 3
test     run?          ~3.0 s  it depends on what train gives

1 of 3 steps would be reused. The rest takes about 2 min 8 s. Nothing was changed.`);
  expect(wouldRun(preview)).toBe(true);
});

test('steps that never ran make the total a least one', () => {
  const steps = [
    step('a', { action: 'run', reason: 'it is new', expectedMs: 1000 }),
    step('b', { action: 'run' }),
  ];
  expect(
    tell({ steps, expectedMs: 1000, unknownDurations: ['b'] })
      .split('\n')
      .at(-1),
  ).toBe(
    '0 of 2 steps would be reused. The rest takes at least 1.0 s; 1 step never ran here. Nothing was changed.',
  );
});

test('of a large plan only what is not reused is listed', () => {
  const steps = [
    ...Array.from({ length: 60 }, (_, at) => step(`s${at}`)),
    step('new', { action: 'run', reason: 'it is new' }),
  ];
  expect(tell({ steps, unknownDurations: [] })).toBe(`new  run       it is new

60 of 61 steps would be reused. Nothing was changed.`);
});

test('a reason is cut to the terminal', () => {
  const steps = [step('a', { action: 'run', reason: 'x'.repeat(100) })];
  const [line = ''] = tell({ steps, unknownDurations: [] }, 40).split('\n');
  expect(line).toHaveLength(40);
  expect(line.endsWith('…')).toBe(true);
});
