import { expect, test } from 'vitest';
import type { Hparams } from '../src/index.ts';
import { findPrefixObstacle, scheduleFactor } from '../src/index.ts';
import { countWarmup } from '../src/schedule.ts';

type Schedule = Pick<Hparams, 'lr_scheduler' | 'warmup_ratio' | 'warmup_steps'>;

/** Factors of all iterations, of so many. */
const factors = (hparams: Schedule, total: number): readonly number[] =>
  Array.from({ length: total }, (_, iteration) =>
    scheduleFactor(hparams.lr_scheduler, iteration, total, countWarmup(hparams, total)),
  );

const schedules: readonly Schedule[] = (['constant', 'linear', 'cosine'] as const).flatMap((lr_scheduler) =>
  [0, 0.1, 1].flatMap((warmup_ratio) =>
    [0, 4, 25].map((warmup_steps) => ({ lr_scheduler, warmup_ratio, warmup_steps })),
  ),
);

test.each(schedules)(
  '$lr_scheduler, warm-up $warmup_ratio or $warmup_steps: no obstacle where 20 iterations begin as 30 do',
  (hparams) => {
    const isPrefix = factors(hparams, 30)
      .slice(0, 20)
      .every((factor, iteration) => factor === factors(hparams, 20)[iteration]);
    // A warm-up that is longer than both runs hides the rest of a schedule: to miss that costs only time.
    const isHidden = hparams.lr_scheduler !== 'constant' && hparams.warmup_steps >= 20;
    expect(findPrefixObstacle(hparams) === undefined).toBe(isPrefix && !isHidden);
  },
);
