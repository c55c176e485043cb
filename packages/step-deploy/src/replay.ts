import type { LlamaFolder, NamedTensor } from '@joyul/models';
import { openGenerator } from '@joyul/training';
import type { Context } from './common.ts';

/** Prompts, and the logits that the tested model gives after each. */
export interface Replay {
  readonly prompts: readonly Int32Array[];
  readonly logits: readonly Float32Array[];
}

/** The logits after each prompt, in float32; `weights` stand in for the model's own. */
export async function computeLogits(
  model: LlamaFolder,
  prompts: readonly Int32Array[],
  { backend }: Pick<Context, 'backend'>,
  weights?: ReadonlyMap<string, NamedTensor>,
): Promise<readonly Float32Array[]> {
  const generator = await openGenerator({
    model,
    precision: 'float32',
    context: Math.max(8, ...prompts.map(({ length }) => length + 1)),
    batchSize: 4,
    ...(weights === undefined ? {} : { weights }),
    ...(backend === undefined ? {} : { backend }),
  });
  try {
    return await generator.logits(prompts);
  } finally {
    generator.dispose();
  }
}

/** The likeliest token. */
export const findLargest = (logits: Float32Array): number =>
  logits.reduce((best, logit, id) => (logit > (logits[best] ?? 0) ? id : best), 0);

/** How two models differ on the same prompts: the largest difference of logits, and how many next tokens are others. */
export function compareLogits(
  left: readonly Float32Array[],
  right: readonly Float32Array[],
): { readonly difference: number; readonly changed: number } {
  let difference = 0;
  for (const [row, logits] of left.entries())
    for (const [id, logit] of logits.entries()) {
      const own = Math.abs(logit - (right[row]?.[id] ?? Number.NaN));
      // What is not a number is as far away as can be.
      difference = Number.isNaN(own) ? Number.POSITIVE_INFINITY : Math.max(difference, own);
    }
  const changed = left.filter(
    (logits, row) => findLargest(logits) !== findLargest(right[row] ?? new Float32Array()),
  );
  return { difference, changed: changed.length };
}
