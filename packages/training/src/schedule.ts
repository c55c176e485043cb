import type { Hparams } from './formats.ts';

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
