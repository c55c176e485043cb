import { createSession } from '@joyul/compute';
import type { Row } from '@joyul/data';
import type { Backend } from '@joyul/plugin-api';
import { valuesOf } from '../model-values.ts';
import { layOut } from './batch-layout.ts';
import { encodeLanguageRows } from './encode-language-rows.ts';
import { countTargets, padLanguageBatch } from './language-batch.ts';
import { languageEntries, makeLanguageProgram } from './language-program.ts';
import type { LanguageModel } from './open-language-model.ts';

/** How a language model foresees one row. */
export interface RowLoss {
  /** Summed over its targets, in nats. */
  readonly total: number;
  /** Tokens that are predicted; 0 for a row of which nothing is learned. */
  readonly targets: number;
}

/** What measuring rows one by one needs. */
export interface MeasureRowsOptions {
  /** Tokens of a row; longer texts are divided, of longer conversations the end is cut off. */
  readonly maxLength: number;
  readonly backend?: Backend;
  readonly onProgress?: (done: number) => void;
}

/** The loss of each row by itself, in float32, so that two models can be compared row by row. */
export async function measureRows(
  { model, encoder }: LanguageModel,
  rows: readonly Row[],
  { maxLength, backend, onProgress }: MeasureRowsOptions,
): Promise<readonly RowLoss[]> {
  // All at once first, so that everything that cannot be encoded is told together.
  encodeLanguageRows(rows, encoder, maxLength);
  const pieces = rows.flatMap(({ messages, text }, row) => {
    const encoded =
      messages === undefined
        ? encoder.encodeText(text, maxLength)
        : [encoder.encodeConversation(messages, maxLength)];
    return encoded.map((example) => ({ row, example })).filter(({ example }) => countTargets(example) > 0);
  });
  const losses = rows.map(() => ({ total: 0, targets: 0 }));
  if (pieces.length === 0) return losses;
  const examples = pieces.map(({ example }) => example);
  const { shapes, validation } = layOut({
    config: model.config,
    train: examples,
    validation: examples,
    seed: 0,
    batchSize: 1,
    maxLength,
    packing: false,
  });
  const { program, weights } = makeLanguageProgram({ config: model.config, shapes });
  const session = await createSession(program, backend === undefined ? {} : { backend });
  try {
    await session.write(valuesOf([...weights.values()], model));
    for (const [done, batch] of validation.entries()) {
      const outputs = await session.run(
        languageEntries.evaluate(batch.shape),
        padLanguageBatch(batch, examples),
      );
      const loss = losses[pieces[batch.rows[0]?.[0] ?? -1]?.row ?? -1];
      if (loss === undefined) throw new Error('Internal error: a batch without a row.');
      loss.total += outputs['total']?.[0] ?? Number.NaN;
      loss.targets += outputs['weight']?.[0] ?? Number.NaN;
      onProgress?.(done + 1);
    }
  } finally {
    session.dispose();
  }
  return losses;
}
