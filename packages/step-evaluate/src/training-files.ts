import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { EvaluationPoint, Hparams, PromptSpace, Strategy } from '@joyul/training';

/** What the train step tells of a training. */
export interface TrainingFiles<E extends EvaluationPoint> {
  readonly strategy: Strategy;
  readonly hparams: Hparams;
  /** Where a prompt was searched for: among which. */
  readonly prompts?: PromptSpace;
  readonly evaluations: readonly E[];
  /** Ids of the unlabelled texts that were kept aside; absent where labelled rows were learned. */
  readonly aside?: readonly string[];
  /** The mean of the last iterations. */
  readonly trainLoss: number;
}

/** Iterations whose mean is the training loss: one alone is noise. */
const lastIterations = 10;

async function readJson<T>(dir: string, name: string): Promise<T> {
  return JSON.parse(await readFile(join(dir, name), 'utf8')) as T; // Written by the train step.
}

/** Reads what the train step left beside the weights. */
export async function readTraining<E extends EvaluationPoint>(dir: string): Promise<TrainingFiles<E>> {
  const training = await readJson<Omit<TrainingFiles<E>, 'trainLoss'>>(dir, 'training.json');
  const { log_history: history } = await readJson<{
    readonly log_history: readonly { readonly loss?: number }[];
  }>(dir, 'trainer_state.json');
  const losses = history.flatMap((entry) => entry.loss ?? []).slice(-lastIterations);
  const trainLoss = losses.reduce((sum, loss) => sum + loss, 0) / Math.max(1, losses.length);
  return { ...training, trainLoss };
}
