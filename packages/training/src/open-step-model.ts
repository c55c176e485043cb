import { StepFailure } from '@joyul/plugin-api';
import { ModelConfigError, WeightsError, openModel } from '@joyul/models';
import type { ModelFolder } from '@joyul/models';

/** Opens the model folder that a step was given; files that cannot be used are the step's failure. */
export async function openStepModel(dir: string, help: string): Promise<ModelFolder> {
  return openModel(dir).catch((error: unknown) => {
    if (error instanceof ModelConfigError || error instanceof WeightsError)
      throw new StepFailure('MODEL', error.message, { help, cause: error });
    throw error;
  });
}
