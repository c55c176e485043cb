import { StepFailure } from '@joyul/plugin-api';
import type { BertFolder } from '@joyul/models';
import { openStepModel } from './open-step-model.ts';

/** Opens the model folder that a step was given, for tasks that need an encoder; what cannot be used is the step's failure. */
export async function openEncoder(dir: string): Promise<BertFolder> {
  const model = await openStepModel(dir, 'Name a model of the BERT family with whole files.');
  if (model.architecture !== 'bert')
    throw new StepFailure(
      'NOT_AN_ENCODER',
      `The model is a decoder (${model.architecture}), but classifying texts needs an encoder.`,
      { help: 'Name a model of the BERT family, such as hf:sentence-transformers/all-MiniLM-L6-v2.' },
    );
  return model;
}
