import { chooseBackend, choosePrecision, createSession } from '@joyul/compute';
import type { LlamaFolder } from '@joyul/models';
import type { Backend } from '@joyul/plugin-api';
import { valuesOf } from '../model-values.ts';
import { layOut } from './batch-layout.ts';
import { countTargets, padLanguageBatch } from './language-batch.ts';
import type { LanguageExample } from './language-batch.ts';
import { languageEntries, makeLanguageProgram } from './language-program.ts';

/** How a language model is measured. */
export interface MeasureOptions {
  readonly backend?: Backend;
  /** The default is float32: what is compared should not be rounded. */
  readonly precision?: 'float32' | 'bfloat16' | 'auto';
  readonly batchSize?: number;
  /** False gives each text a row of its own; absent: where it saves work, rows hold several. */
  readonly packing?: boolean;
}

/** The loss of the targets of a few texts. */
export interface PartLoss {
  /** Summed, in nats. */
  readonly total: number;
  /** Targets. */
  readonly count: number;
}

/** The loss of one batch. */
export interface BatchLoss extends PartLoss {
  /** Indices of its examples among those that have a target. */
  readonly examples: readonly number[];
}

/** The mean loss of all targets, in nats a token. */
export const meanLoss = (parts: readonly PartLoss[]): number =>
  parts.reduce((sum, { total }) => sum + total, 0) / parts.reduce((sum, { count }) => sum + count, 0);

/** The losses of examples, a batch each; models with the same tokenizer are measured on the same batches. */
export async function measureParts(
  model: LlamaFolder,
  examples: readonly LanguageExample[],
  { backend, precision = 'float32', batchSize = 8, packing }: MeasureOptions = {},
): Promise<readonly BatchLoss[]> {
  const own = examples.filter((example) => countTargets(example) > 0);
  const layout = layOut({
    config: model.config,
    train: own,
    validation: own,
    seed: 0,
    batchSize,
    maxLength: own.reduce((most, { ids }) => Math.max(most, ids.length), 8),
    ...(packing === undefined ? {} : { packing }),
  });
  const { program, weights } = makeLanguageProgram({ config: model.config, shapes: layout.shapes });
  const chosen = await choosePrecision(precision, chooseBackend(backend).name);
  const session = await createSession(program, {
    matmul: chosen.name,
    ...(backend === undefined ? {} : { backend }),
  });
  try {
    await session.write(valuesOf([...weights.values()], model));
    const parts: BatchLoss[] = [];
    for (const batch of layout.validation) {
      const outputs = await session.run(languageEntries.evaluate(batch.shape), padLanguageBatch(batch, own));
      const read = (name: string): number => outputs[name]?.[0] ?? Number.NaN;
      parts.push({ total: read('total'), count: read('weight'), examples: batch.rows.flat() });
    }
    return parts;
  } finally {
    session.dispose();
  }
}

/** The mean loss of all targets of examples, in nats a token. */
export const measureLanguage = async (
  model: LlamaFolder,
  examples: readonly LanguageExample[],
  options: MeasureOptions = {},
): Promise<number> => meanLoss(await measureParts(model, examples, options));
