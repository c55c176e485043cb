/** Our side of the case with an encoder and a classification head. */
import { createSession } from '@joyul/compute';
import { openModel } from '@joyul/models';
import {
  chooseBuckets,
  entryNames,
  makeBatches,
  makeClassifierProgram,
  padBatch,
  valuesOf,
} from '@joyul/training';
import { learningRate, maxGradNorm, weightDecay } from './adam.ts';
import type { Prepared } from './ours-language.ts';
import type { CaseSpec, Example } from './spec.ts';

/** Opens the model and makes the program of a case. */
export async function prepareClassifier(
  spec: CaseSpec,
  batches: readonly (readonly Example[])[],
): Promise<Prepared> {
  const model = await openModel(spec.model);
  if (model.architecture !== 'bert') throw new Error(`${spec.model} holds no BERT.`);
  const examples = batches.flat().map(({ input_ids: ids, labels }) => ({
    ids: Int32Array.from(ids),
    label: typeof labels === 'number' ? labels : -100,
  }));
  const size = batches[0]?.length ?? 0;
  const times = chooseBuckets(examples.map(({ ids }) => ids.length));
  const { program } = makeClassifierProgram(
    { config: model.config, classes: spec.classes, pooling: 'mean', batchSize: size, times },
    { isTrained: () => true, weightDecay, maxGradNorm, labelSmoothing: 0 },
  );
  const session = await createSession(program, {
    backend: 'tensorflow',
    matmul: spec.precision === 'float32' ? 'float32' : 'bfloat16',
  });
  await session.write(valuesOf(program.variables, model));
  const steps = makeBatches(examples, times, size).map((batch) => ({
    tokens: batch.indices.reduce((sum, index) => sum + (examples[index]?.ids.length ?? 0), 0),
    run: async (iteration: number): Promise<number> => {
      const inputs = padBatch(batch, examples, size, spec.pad);
      const { loss } = await session.run(entryNames.train(batch.time), {
        ...inputs,
        learningRate,
        headLearningRate: learningRate,
        beta1Power: 0.9 ** iteration,
        beta2Power: 0.999 ** iteration,
      });
      return loss?.[0] ?? Number.NaN;
    },
  }));
  return { facts: `${session.backend} ${session.matmul}`, steps };
}
