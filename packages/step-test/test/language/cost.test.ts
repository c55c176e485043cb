import { expect, test } from 'vitest';
import { breakEven, formatSeconds, formatSize, isCheaper } from '../../src/language/cost.ts';

test('training is paid back by the time that each request saves', () => {
  expect(breakEven({ trainingSeconds: 100, secondsPerAnswer: 0.25 }, { secondsPerAnswer: 0.75 })).toBe(200);
  expect(breakEven({ trainingSeconds: 100, secondsPerAnswer: 0.25 }, { secondsPerAnswer: 0.55 })).toBe(334);
});

test('what saves no time is never paid back, and what took an unknown time cannot be told', () => {
  expect(
    breakEven({ trainingSeconds: 100, secondsPerAnswer: 0.7 }, { secondsPerAnswer: 0.7 }),
  ).toBeUndefined();
  expect(breakEven({ secondsPerAnswer: 0.1 }, { secondsPerAnswer: 0.7 })).toBeUndefined();
});

test('the cheaper way trains less, then has less to keep, then needs fewer tokens', () => {
  const bare = { kind: 'prompt', diskBytes: 0, tokensIn: 30, tokensOut: 2 } as const;
  const instructed = { ...bare, tokensIn: 40 };
  const shots = { ...bare, diskBytes: 3e6, tokensIn: 400 };
  const head = { ...bare, kind: 'features', diskBytes: 4612 } as const;
  const adapter = { ...bare, kind: 'tuned', diskBytes: 2e6 } as const;
  const order = [bare, instructed, shots, head, adapter];
  expect(order.toReversed().sort((a, b) => (isCheaper(a, b) ? -1 : 1))).toEqual(order);
  expect(isCheaper(bare, bare)).toBe(false);
});

test('sizes and times are for people', () => {
  expect([0, 950, 4612, 1_900_000, 85e6].map(formatSize)).toEqual([
    '0 B',
    '950 B',
    '4.6 kB',
    '1.9 MB',
    '85 MB',
  ]);
  expect([0.42, 48.4, 125].map(formatSeconds)).toEqual(['0.4 s', '48 s', '2 min 5 s']);
});
