import { makeRandom, readDataset, shuffle } from '@joyul/data';
import type { Dataset, Row } from '@joyul/data';
import { readUnlabelled } from '@joyul/training';
import type { Context } from './run.ts';

/** The data set, and the rows of it that the trials of a search see; the same for the same seed. */
export async function sampleRows({
  params,
  inputs,
  seed,
}: Pick<Context, 'params' | 'inputs' | 'seed'>): Promise<{
  readonly dataset: Dataset;
  readonly train: readonly Row[];
  readonly validation: readonly Row[];
}> {
  const dataset = await readDataset(inputs.dataset);
  if (params.data === 'unlabelled') {
    const { train, validation } = await readUnlabelled(dataset, seed);
    const cut = (rows: readonly Row[]): readonly Row[] => rows.slice(0, params.trial_rows);
    return { dataset, train: cut(train), validation: cut(validation) };
  }
  const random = makeRandom(seed);
  const sample = async (split: 'train' | 'validation'): Promise<readonly Row[]> =>
    shuffle(await dataset.rows(split), random).slice(0, params.trial_rows);
  const train = await sample('train');
  return { dataset, train, validation: await sample('validation') };
}
