import { expect, test } from 'vitest';
import type { Schedule } from '../src/index.ts';
import { findPrefixObstacle, scheduleFactor } from '../src/index.ts';

/** Factors of all iterations, of so many. */
const factors = (hparams: Schedule, total: number): readonly number[] =>
  Array.from({ length: total }, (_, iteration) => scheduleFactor(hparams, iteration, total));

const kinds = [
  'constant',
  'linear',
  'cosine',
  'cosine_with_min_lr',
  'inverse_sqrt',
  'warmup_stable_decay',
] as const;

const schedules: readonly Schedule[] = kinds.flatMap((lr_scheduler) =>
  [0, 0.1, 1].flatMap((warmup_ratio) =>
    [0, 4, 25].map((warmup_steps) => ({
      lr_scheduler,
      warmup_ratio,
      warmup_steps,
      min_lr_rate: 0.1,
      decay_ratio: 0.4,
    })),
  ),
);

/** Ten iterations, three of them warm-up, from `get_scheduler` of transformers. */
const golden: readonly (readonly [Schedule['lr_scheduler'], readonly number[]])[] = [
  ['constant', [0, 0.333333, 0.666667, 1, 1, 1, 1, 1, 1, 1]],
  ['linear', [0, 0.333333, 0.666667, 1, 0.857143, 0.714286, 0.571429, 0.428571, 0.285714, 0.142857]],
  ['cosine', [0, 0.333333, 0.666667, 1, 0.950484, 0.811745, 0.61126, 0.38874, 0.188255, 0.049516]],
  [
    'cosine_with_min_lr',
    [0, 0.333333, 0.666667, 1, 0.955436, 0.83057, 0.650134, 0.449866, 0.26943, 0.144564],
  ],
  [
    'inverse_sqrt',
    [0, 0.333333, 0.666667, 1, Math.sqrt(3 / 4), 0.774597, Math.SQRT1_2, 0.654654, 0.612372, 0.57735],
  ],
  ['warmup_stable_decay', [0.1, 0.4, 0.7, 1, 1, 1, 1, 0.868198, 0.55, 0.231802]],
];

test.each(golden)('%s is the schedule of transformers', (lr_scheduler, expected) => {
  const found = factors(
    { lr_scheduler, warmup_ratio: 0, warmup_steps: 3, min_lr_rate: 0.1, decay_ratio: 0.4 },
    10,
  );
  expected.forEach((factor, iteration) => {
    expect(found[iteration]).toBeCloseTo(factor, 6);
  });
});

test.each(schedules)(
  '$lr_scheduler, warm-up $warmup_ratio or $warmup_steps: no obstacle where 20 iterations begin as 30 do',
  (hparams) => {
    const isPrefix = factors(hparams, 30)
      .slice(0, 20)
      .every((factor, iteration) => factor === factors(hparams, 20)[iteration]);
    // A warm-up that is longer than both runs hides the rest of a schedule: to miss that costs only time.
    const isEndless = ['constant', 'inverse_sqrt'].includes(hparams.lr_scheduler);
    const isHidden = !isEndless && hparams.warmup_steps >= 20;
    expect(findPrefixObstacle(hparams) === undefined).toBe(isPrefix && !isHidden);
  },
);
