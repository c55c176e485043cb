import { chooseBackend, choosePrecision, createSession } from '@joyul/compute';
import type { LlamaFolder } from '@joyul/models';
import type { Backend } from '@joyul/plugin-api';
import { valuesOf } from '../model-values.ts';
import { layOut } from './batch-layout.ts';
import { countTargets } from './language-batch.ts';
import type { LanguageExample } from './language-batch.ts';
import { makeLanguageProgram } from './language-program.ts';
import { makeLanguageTask } from './language-task.ts';

/** How a language model is measured. */
export interface MeasureOptions {
  readonly backend?: Backend;
  /** The default is float32: what is compared should not be rounded. */
  readonly precision?: 'float32' | 'bfloat16' | 'auto';
  readonly batchSize?: number;
}

/** The mean loss of all targets of examples, in nats a token. */
export async function measureLanguage(
  model: LlamaFolder,
  examples: readonly LanguageExample[],
  { backend, precision = 'float32', batchSize = 8 }: MeasureOptions = {},
): Promise<number> {
  const own = examples.filter((example) => countTargets(example) > 0);
  const layout = layOut({
    config: model.config,
    train: own,
    validation: own,
    seed: 0,
    batchSize,
    maxLength: own.reduce((most, { ids }) => Math.max(most, ids.length), 8),
  });
  const { program, weights } = makeLanguageProgram({ config: model.config, shapes: layout.shapes });
  const chosen = await choosePrecision(precision, chooseBackend(backend).name);
  const session = await createSession(program, {
    matmul: chosen.name,
    ...(backend === undefined ? {} : { backend }),
  });
  try {
    await session.write(valuesOf([...weights.values()], model));
    const task = makeLanguageTask({ session, layout, train: [], validation: own, learningRate: 0 });
    return (await task.evaluate({ iteration: 0, epoch: 0 }, [])).loss;
  } finally {
    session.dispose();
  }
}
