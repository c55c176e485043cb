import { accumulatorSlots, adafactor, adamWOptimizer, lion, sgd } from '@joyul/compute';
import type { Optimizer, Slot, WeightShape } from '@joyul/compute';
import { blockOf } from '@joyul/models';
import type { Hparams } from './formats.ts';

/** The optimizer that hparams name. */
export function optimizerOf({
  optimizer,
  momentum,
  nesterov,
}: Pick<Hparams, 'optimizer' | 'momentum' | 'nesterov'>): Optimizer {
  switch (optimizer) {
    case 'adamw':
      return adamWOptimizer();
    case 'sgd':
      return sgd({ momentum, isNesterov: nesterov });
    case 'adafactor':
      return adafactor();
    case 'lion':
      return lion();
  }
}

/**
 * The share of the learning rate that a weight gets: decay^d, where d counts the layers above it (Clark et al. 2020);
 * the embeddings are below the first layer. The head has a learning rate of its own.
 */
export function rateShareOf(name: string, layers: number, decay: number): number {
  const block = blockOf(name);
  if (block === 'embeddings') return decay ** layers;
  const layer = /^layer\.(\d+)$/.exec(block ?? '')?.[1];
  return layer === undefined ? 1 : decay ** (layers - 1 - Number(layer));
}

/** What training keeps beside the weights: the optimizer's slots, which checkpoints hold, and sums, which are zero then. */
export function slotsOf(
  hparams: Hparams,
  weights: readonly WeightShape[],
): { readonly kept: readonly Slot[]; readonly sums: readonly Slot[] } {
  const optimizer = optimizerOf(hparams);
  return {
    kept: weights.flatMap((weight) => optimizer.slotsOf(weight)),
    sums: hparams.gradient_accumulation_steps === 1 ? [] : accumulatorSlots(weights),
  };
}
