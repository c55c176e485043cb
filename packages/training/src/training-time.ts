/**
 * What a training took.
 *
 * The time is no part of the trained model: that is the same bytes whenever it is made, and a time is not. It lies in the
 * project's shared folder instead, under a name made of what the training left, and may be gone at any time.
 */
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const describing = ['training.json', 'trainability.json', 'prompt.json'];

/** Names a training by what it says of itself: a sha256 that is the same for the same training only. */
export async function digestTraining(trainedDir: string): Promise<string> {
  const hash = createHash('sha256');
  for (const name of describing)
    hash.update(await readFile(join(trainedDir, name)).catch(() => '')).update('\n');
  return hash.digest('hex');
}

const fileOf = async (sharedDir: string, trainedDir: string): Promise<string> =>
  join(sharedDir, 'training-times', `${await digestTraining(trainedDir)}.json`);

/** Remembers how many seconds a trained model took to make. */
export async function keepTrainingTime(
  sharedDir: string,
  trainedDir: string,
  seconds: number,
): Promise<void> {
  const file = await fileOf(sharedDir, trainedDir);
  await mkdir(join(sharedDir, 'training-times'), { recursive: true });
  await writeFile(`${file}.partial`, JSON.stringify({ version: 1, seconds }));
  await rename(`${file}.partial`, file);
}

/** The seconds that a trained model took to make; undefined where that is not known here. */
export async function findTrainingTime(sharedDir: string, trainedDir: string): Promise<number | undefined> {
  try {
    const { seconds } = JSON.parse(await readFile(await fileOf(sharedDir, trainedDir), 'utf8')) as {
      readonly seconds?: unknown; // Another program may have written it.
    };
    return typeof seconds === 'number' && seconds >= 0 ? seconds : undefined;
  } catch {
    return undefined;
  }
}
