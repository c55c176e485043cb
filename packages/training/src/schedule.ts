import type { Hparams } from './formats.ts';

/** Iterations in which the learning rate rises, of so many in all. */
export const countWarmup = (
  { warmup_ratio, warmup_steps }: Pick<Hparams, 'warmup_ratio' | 'warmup_steps'>,
  total: number,
): number => (warmup_steps > 0 ? warmup_steps : Math.ceil(total * warmup_ratio));

/** What decides the learning rate's course. */
export type Schedule = Pick<
  Hparams,
  'lr_scheduler' | 'warmup_ratio' | 'warmup_steps' | 'min_lr_rate' | 'decay_ratio'
>;

/** Schedules that do not depend on the number of iterations, besides their warm-up. */
const endless: readonly Hparams['lr_scheduler'][] = ['constant', 'inverse_sqrt'];

/** Why training for more epochs does not begin as training for fewer does, in words; undefined where it does. */
export function findPrefixObstacle(
  hparams: Pick<Hparams, 'lr_scheduler' | 'warmup_ratio' | 'warmup_steps'>,
): string | undefined {
  const { lr_scheduler, warmup_ratio, warmup_steps } = hparams;
  const rest = 'could be gone on from';
  if (!endless.includes(lr_scheduler))
    return `the learning rate of the schedule "${lr_scheduler}" depends on the number of epochs; with \`lr_scheduler: constant\` and \`warmup_steps\` fewer epochs ${rest}`;
  if (warmup_steps === 0 && warmup_ratio > 0)
    return `a warm-up over ${Number((100 * warmup_ratio).toPrecision(3))} % of all iterations depends on the number of epochs; with \`warmup_steps\`, or \`warmup_ratio: 0\`, fewer epochs ${rest}`;
  return undefined;
}

/** The factor at a time after the warm-up: `progress` goes from 0 at its end to 1 at the last iteration. */
const halfCosine = (progress: number): number => 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress)));
const above = (floor: number, factor: number): number => floor + (1 - floor) * factor;

/** Without a warm-up the inverse square root counts from here, as transformers has it. */
const defaultTimescale = 10_000;

/**
 * The factor on the peak learning rate at an iteration (from 0), as transformers' schedulers give it: it rises
 * linearly over the warm-up, then stays, or falls linearly, along half a cosine, or with the inverse square root.
 *
 * `warmup_stable_decay` (Hu et al. 2024) stays until the last `decay_ratio` of the iterations, and falls there.
 */
export function scheduleFactor(schedule: Schedule, iteration: number, total: number): number {
  const { lr_scheduler: kind, min_lr_rate: floor } = schedule;
  const warmup = countWarmup(schedule, total);
  if (iteration < warmup) {
    const risen = iteration / Math.max(1, warmup);
    return kind === 'warmup_stable_decay' ? above(floor, risen) : risen;
  }
  const progress = (iteration - warmup) / Math.max(1, total - warmup);
  switch (kind) {
    case 'constant':
      return 1;
    case 'linear':
      return Math.max(0, 1 - progress);
    case 'cosine':
      return halfCosine(progress);
    case 'cosine_with_min_lr':
      return above(floor, halfCosine(progress));
    case 'inverse_sqrt': {
      const timescale = warmup === 0 ? defaultTimescale : warmup;
      return 1 / Math.sqrt((iteration + timescale - warmup) / timescale);
    }
    case 'warmup_stable_decay': {
      const falling = Math.ceil(total * schedule.decay_ratio);
      const done = iteration - Math.max(warmup, total - falling);
      return done < 0 ? 1 : above(floor, halfCosine(done / Math.max(1, falling)));
    }
  }
}
