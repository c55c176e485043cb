/** Our side of the cases that continue texts. */
import { openModel } from '@joyul/models';
import { openGenerator } from '@joyul/training';
import type { Prepared } from './ours-language.ts';
import type { CaseSpec, Example } from './spec.ts';

/** Opens the model for prompts of one length, with room for what is generated. */
export async function prepareGeneration(
  spec: CaseSpec,
  batches: readonly (readonly Example[])[],
): Promise<Prepared> {
  const model = await openModel(spec.model);
  if (model.architecture !== 'llama') throw new Error(`${spec.model} holds no Llama.`);
  const [first = []] = batches;
  const generator = await openGenerator({
    model,
    backend: 'tensorflow',
    precision: spec.precision === 'float32' ? 'float32' : 'bfloat16',
    context: (first[0]?.input_ids.length ?? 0) + spec.newTokens,
    batchSize: first.length,
  });
  const steps = batches.map((batch) => ({
    tokens: batch.length * spec.newTokens,
    run: async () => {
      const prompts = batch.map(({ input_ids: ids }) => ids);
      const [text] = await generator.generate(prompts, { maxNewTokens: spec.newTokens });
      return text?.ids[0] ?? Number.NaN;
    },
  }));
  return { facts: `tensorflow ${generator.precision.name}`, steps };
}
