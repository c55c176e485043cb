import type { Row } from '@joyul/data';
import { encodeLanguageRows } from './encode-language-rows.ts';
import { countTargets } from './language-batch.ts';
import { measureParts } from './measure-language.ts';
import type { MeasureOptions } from './measure-language.ts';
import type { LanguageModel } from './open-language-model.ts';

/** How a language model foresees one row. */
export interface RowLoss {
  /** Summed over its targets, in nats. */
  readonly total: number;
  /** Tokens that are predicted; 0 for a row of which nothing is learned. */
  readonly targets: number;
}

/** What measuring rows one by one needs. */
export interface MeasureRowsOptions extends Pick<MeasureOptions, 'backend'> {
  /** Tokens of a row; longer texts are divided, of longer conversations the end is cut off. */
  readonly maxLength: number;
}

/** The loss of each row by itself, in float32, so that two models can be compared row by row. */
export async function measureRows(
  { model, encoder }: LanguageModel,
  rows: readonly Row[],
  { maxLength, ...options }: MeasureRowsOptions,
): Promise<readonly RowLoss[]> {
  const { examples, rowOf } = encodeLanguageRows(rows, encoder, maxLength);
  const counted = examples.map((example, at) => ({ row: rowOf[at] ?? -1, targets: countTargets(example) }));
  const rowsWithTargets = counted.filter(({ targets }) => targets > 0).map(({ row }) => row);
  const losses = rows.map(() => ({ total: 0, targets: 0 }));
  if (rowsWithTargets.length === 0) return losses;
  const parts = await measureParts(model, examples, { ...options, batchSize: 1, packing: false });
  for (const { total, count, examples: own } of parts) {
    const loss = losses[rowsWithTargets[own[0] ?? -1] ?? -1];
    if (loss === undefined) throw new Error('Internal error: a batch without a row.');
    loss.total += total;
    loss.targets += count;
  }
  return losses;
}
