import { StepFailure } from '@joyul/plugin-api';
import { makeRandom, shuffle } from '@joyul/data';
import type { Dataset, Row } from '@joyul/data';

/** The unlabelled texts of a data set in random order, a twentieth of them kept aside for validation. */
export async function readUnlabelled(
  dataset: Dataset,
  seed: number,
): Promise<Readonly<Record<'train' | 'validation', readonly Row[]>>> {
  const rows = shuffle(await dataset.rows('unlabelled'), makeRandom(seed));
  if (rows.length < 2)
    throw new StepFailure('NO_ROWS', `The data set has ${rows.length} unlabelled texts.`, {
      help: 'Give prepare some: unlabelled: PATH.',
    });
  const aside = Math.ceil(rows.length / 20);
  return { train: rows.slice(aside), validation: rows.slice(0, aside) };
}
