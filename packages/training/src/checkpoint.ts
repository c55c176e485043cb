import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readTensors, writeTensors } from '@joyul/models';
import type { NamedTensor } from '@joyul/models';

/** What every task's evaluations on the validation split tell. */
export interface EvaluationPoint {
  /** Iterations done when it was made; 0 is before training. */
  readonly iteration: number;
  readonly epoch: number;
  readonly loss: number;
}

/** One evaluation of a classifier. */
export interface Evaluation extends EvaluationPoint {
  readonly accuracy: number;
}

/**
 * Where training stands, besides the weights. The order of examples follows from the seed and the epoch, and the place
 * in it from the iteration: these are the data position and the random state.
 */
export interface TrainingState<E extends EvaluationPoint = Evaluation> {
  readonly version: 1;
  /** Digest of everything that decides the run; a checkpoint of another run is not used. */
  readonly identity: string;
  /** Iterations done. */
  readonly iteration: number;
  readonly trainLosses: readonly {
    readonly iteration: number;
    readonly loss: number;
    readonly gradientNorm: number;
  }[];
  readonly evaluations: readonly E[];
  /** The evaluation whose weights are kept as the best. */
  readonly best: E | undefined;
  readonly badEvaluations: number;
}

/** All that is needed to go on exactly. */
export interface Checkpoint<E extends EvaluationPoint = Evaluation> {
  readonly state: TrainingState<E>;
  /** Trained weights and the optimizer's moments. */
  readonly tensors: readonly NamedTensor[];
  /** The trained weights of the best evaluation. */
  readonly best: readonly NamedTensor[];
}

const folder = 'checkpoint';

/** Replaces the checkpoint in a folder; a crash at any moment leaves the old or the new one. */
export async function saveCheckpoint<E extends EvaluationPoint>(
  scratchDir: string,
  checkpoint: Checkpoint<E>,
): Promise<void> {
  const next = join(scratchDir, `${folder}.next`);
  await rm(next, { recursive: true, force: true });
  await mkdir(next, { recursive: true });
  await writeTensors(join(next, 'state.safetensors'), checkpoint.tensors);
  await writeTensors(join(next, 'best.safetensors'), checkpoint.best);
  await writeFile(join(next, 'state.json'), JSON.stringify(checkpoint.state));
  const old = join(scratchDir, `${folder}.old`);
  await rm(old, { recursive: true, force: true });
  await rename(join(scratchDir, folder), old).catch(() => undefined); // The first checkpoint has nothing to replace.
  await rename(next, join(scratchDir, folder));
  await rm(old, { recursive: true, force: true });
}

/** The checkpoint in a folder, or undefined; with an identity only that of the run which has it. */
export async function loadCheckpoint<E extends EvaluationPoint = Evaluation>(
  scratchDir: string,
  identity?: string,
): Promise<Checkpoint<E> | undefined> {
  // A crash between the two renames leaves only the old one.
  for (const name of [folder, `${folder}.old`]) {
    const dir = join(scratchDir, name);
    const text = await readFile(join(dir, 'state.json'), 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    const state = JSON.parse(text) as TrainingState<E>; // Written by saveCheckpoint, last of its files.
    if (identity !== undefined && state.identity !== identity) continue;
    return {
      state,
      tensors: await readTensors(join(dir, 'state.safetensors')),
      best: await readTensors(join(dir, 'best.safetensors')),
    };
  }
  return undefined;
}
