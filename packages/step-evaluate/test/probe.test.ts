import { expect, test } from 'vitest';
import { compareProbes, describeProbes } from '../src/probe.ts';

test('heads are compared question by question', () => {
  const before = [true, false, false, false, false, false, false, false];
  const after = [true, true, true, true, true, true, true, false];
  const change = compareProbes(before, after);
  // Six questions differ, all in favour: 2 / 2^6.
  expect(change).toEqual({ questions: 8, before: 0.125, after: 0.875, pValue: expect.closeTo(1 / 32, 9) });
  expect(describeProbes(change)).toBe(
    "A linear head on the tuned model's states gets 87.5 % of 8 validation questions right, on the untuned model's 12.5 % (p = 0.031).",
  );
});
