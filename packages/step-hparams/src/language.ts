import {
  drawLanguageAdapter,
  encodeLanguageRows,
  openLanguageModel,
  trainLanguageModel,
} from '@joyul/training';
import type { Hparams, Strategy } from '@joyul/training';
import type { Context, TrialRunner } from './run.ts';
import { sampleRows } from './sample-rows.ts';

/** What trains a language model on a sample of the rows for each trial. */
export async function prepareLanguageTrials(
  values: Hparams,
  strategy: Strategy,
  context: Context,
): Promise<TrialRunner> {
  const { inputs, seed, backend, signal, workshop } = context;
  const { model, encoder } = await openLanguageModel(inputs.model);
  const rows = await sampleRows(context);
  const { examples: train } = encodeLanguageRows(rows.train, encoder, values.max_length);
  const { examples: validation } = encodeLanguageRows(rows.validation, encoder, values.max_length);
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
