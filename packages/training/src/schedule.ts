import type { Hparams } from './formats.ts';

/** Iterations in which the learning rate rises, of so many in all. */
export const countWarmup = (
  { warmup_ratio, warmup_steps }: Pick<Hparams, 'warmup_ratio' | 'warmup_steps'>,
  total: number,
): number => (warmup_steps > 0 ? warmup_steps : Math.ceil(total * warmup_ratio));

/** Why training for more epochs does not begin as training for fewer does, in words; undefined where it does. */
export function findPrefixObstacle(
  hparams: Pick<Hparams, 'lr_scheduler' | 'warmup_ratio' | 'warmup_steps'>,
): string | undefined {
  const { lr_scheduler, warmup_ratio, warmup_steps } = hparams;
  const rest = 'could be gone on from';
  if (lr_scheduler !== 'constant')
    return `the learning rate of the schedule "${lr_scheduler}" depends on the number of epochs; with \`lr_scheduler: constant\` and \`warmup_steps\` fewer epochs ${rest}`;
  if (warmup_steps === 0 && warmup_ratio > 0)
    return `a warm-up over ${Number((100 * warmup_ratio).toPrecision(3))} % of all iterations depends on the number of epochs; with \`warmup_steps\`, or \`warmup_ratio: 0\`, fewer epochs ${rest}`;
  return undefined;
}

/**
 * The factor on the peak learning rate at an iteration (from 0): it rises linearly from 0 over the warm-up,
 * then stays, falls linearly to 0, or falls along half a cosine, as Hugging Face's schedulers do.
 */
export function scheduleFactor(
  kind: Hparams['lr_scheduler'],
  iteration: number,
  total: number,
  warmup: number,
): number {
  if (iteration < warmup) return iteration / Math.max(1, warmup);
  if (kind === 'constant') return 1;
  const progress = (iteration - warmup) / Math.max(1, total - warmup);
  if (kind === 'linear') return Math.max(0, 1 - progress);
  return 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress)));
}
