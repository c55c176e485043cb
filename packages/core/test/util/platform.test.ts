import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { realPlatform } from '../../src/util/platform.ts';

const { clock } = realPlatform;
const dayMs = 86_400_000;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** Sleeps, and says when it is over. */
function watch(durationMs: number, signal?: AbortSignal): { readonly isOver: () => boolean } {
  let isOver = false;
  void clock.sleep(durationMs, signal).then(() => (isOver = true));
  return { isOver: () => isOver };
}

test.each([0, 1, 2 ** 31 - 1, 2 ** 31, 100 * dayMs])('a sleep of %d ms takes as long', async (durationMs) => {
  const { isOver } = watch(durationMs);
  await vi.advanceTimersByTimeAsync(Math.max(0, durationMs - 1));
  expect(isOver()).toBe(durationMs === 0);
  await vi.advanceTimersByTimeAsync(1);
  expect(isOver()).toBe(true);
});

test.each([0, 10 * dayMs, 60 * dayMs])('a signal after %d ms ends a long one', async (afterMs) => {
  const controller = new AbortController();
  const { isOver } = watch(100 * dayMs, controller.signal);
  await vi.advanceTimersByTimeAsync(afterMs);
  controller.abort();
  await vi.advanceTimersByTimeAsync(0);
  expect([isOver(), vi.getTimerCount()]).toEqual([true, 0]);
});
