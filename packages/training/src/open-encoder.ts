import { StepFailure } from '@joyul/plugin-api';
import { ModelConfigError, WeightsError, openModel } from '@joyul/models';
import type { BertFolder } from '@joyul/models';

/** Opens the model folder that a step was given, for tasks that need an encoder; what cannot be used is the step's failure. */
export async function openEncoder(dir: string): Promise<BertFolder> {
  const model = await openModel(dir).catch((error: unknown) => {
    if (error instanceof ModelConfigError || error instanceof WeightsError)
      throw new StepFailure('MODEL', error.message, {
        help: 'Name a model of the BERT family with whole files.',
        cause: error,
      });
    throw error;
  });
  if (model.architecture !== 'bert')
    throw new StepFailure(
      'NOT_AN_ENCODER',
      `The model is a decoder (${model.architecture}), but classifying texts needs an encoder.`,
      { help: 'Name a model of the BERT family, such as hf:sentence-transformers/all-MiniLM-L6-v2.' },
    );
  return model;
}
