import { makeRandom, readDataset, shuffle } from '@joyul/data';
import {
  drawLanguageAdapter,
  encodeLanguageRows,
  openLanguageModel,
  trainLanguageModel,
} from '@joyul/training';
import type { Hparams, LanguageExample, Strategy } from '@joyul/training';
import type { Context, TrialRunner } from './run.ts';

/** What trains a language model on a sample of the rows for each trial. */
export async function prepareLanguageTrials(
  values: Hparams,
  strategy: Strategy,
  context: Context,
): Promise<TrialRunner> {
  const { params, inputs, seed, backend, signal, workshop } = context;
  const dataset = await readDataset(inputs.dataset);
  const { model, encoder } = await openLanguageModel(inputs.model);
  const random = makeRandom(seed);
  const sample = async (split: 'train' | 'validation'): Promise<readonly LanguageExample[]> => {
    const rows = shuffle(await dataset.rows(split), random).slice(0, params.trial_rows);
    return encodeLanguageRows(rows, encoder, values.max_length).examples;
  };
  const [train, validation] = [await sample('train'), await sample('validation')];
  const { adapters } = strategy;
  const weights = adapters?.variant === 'dora' ? await model.readTensors() : new Map<string, never>();
  const adapter =
    adapters === undefined ? undefined : drawLanguageAdapter(model.config, adapters, weights, seed);
  return async (hparams, onIteration) => {
    const { evaluations } = await trainLanguageModel({
      model,
      train,
      validation,
      strategy,
      hparams,
      seed,
      signal,
      workshop,
      onIteration,
      ...(adapter === undefined ? {} : { adapter }),
      ...(backend === undefined ? {} : { backend }),
    });
    return evaluations.at(-1)?.loss ?? Number.POSITIVE_INFINITY;
  };
}
