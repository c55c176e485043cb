/** What a trained model is, in a table that it stands in beside others. */
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { digestTraining, findTrainingTime, readPrompt } from '@joyul/training';
import type { Strategy, Trainability } from '@joyul/training';
import type { WayKind } from './cost.ts';

/** A trained model beside others. */
export interface Trained {
  readonly dir: string;
  readonly name: string;
  readonly kind: WayKind;
  /** Absent where it is not known here. */
  readonly trainingSeconds?: number;
  /** The adapter's files, the weights that are not the base model's, or the prompt. */
  readonly diskBytes: number;
}

async function readJson<T>(dir: string, name: string): Promise<T | undefined> {
  const text = await readFile(join(dir, name), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as T); // Written by the train step.
}

const variantNames = { lora: 'LoRA', rslora: 'rsLoRA', dora: 'DoRA' } as const;

/** What was done, in a few words. */
export function nameStrategy({
  method,
  blocks,
  adapters,
}: Pick<Strategy, 'method' | 'blocks' | 'adapters'>): string {
  if (adapters !== undefined) return `${variantNames[adapters.variant]} r=${adapters.rank}`;
  if (method !== 'repurpose') return method === 'full' ? 'full fine-tuning' : method;
  const layers = blocks.filter((block) => block.startsWith('layer.')).length;
  return `repurposed: top ${layers} ${layers === 1 ? 'layer' : 'layers'}`;
}

async function measureFolder(dir: string): Promise<number> {
  const names = await readdir(dir).catch(() => []);
  const sizes = await Promise.all(names.map(async (name) => (await stat(join(dir, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Bytes of the weights that training changed, in float32. */
function measureChanged(proof: Trainability | undefined): number {
  const moved = proof?.tensors.filter(({ sha256Before, sha256After }) => sha256Before !== sha256After) ?? [];
  return moved.reduce((sum, { count }) => sum + 4 * count, 0);
}

/** Says of a folder what it is and what it takes. */
async function describeTrained(dir: string, sharedDir: string): Promise<Trained> {
  const [training, proof, prompt, trainingSeconds] = await Promise.all([
    readJson<{ readonly strategy?: Strategy }>(dir, 'training.json'),
    readJson<Trainability>(dir, 'trainability.json'),
    readPrompt(dir),
    findTrainingTime(sharedDir, dir),
  ]);
  const took = trainingSeconds === undefined ? {} : { trainingSeconds };
  if (prompt !== undefined) {
    const shots =
      prompt.shots === 0 ? '' : `, ${prompt.shots} ${prompt.shots === 1 ? 'example' : 'examples'}`;
    const { size } = await stat(join(dir, 'prompt.json'));
    const who = prompt.endpoint === undefined ? '' : `${prompt.endpoint.model}, `;
    return { dir, name: `${who}searched prompt${shots}`, kind: 'prompt', diskBytes: size, ...took };
  }
  const adapter = await measureFolder(join(dir, 'adapter'));
  return {
    dir,
    name: training?.strategy === undefined ? 'tuned' : nameStrategy(training.strategy),
    kind: 'tuned',
    diskBytes: adapter === 0 ? measureChanged(proof) : adapter,
    ...took,
  };
}

/** The models to be compared, each once, under names that differ. */
export async function listTrained(dirs: readonly string[], sharedDir: string): Promise<readonly Trained[]> {
  const seen = new Set<string>();
  const names = new Map<string, number>();
  const list: Trained[] = [];
  for (const dir of dirs) {
    const digest = await digestTraining(dir);
    if (seen.has(digest)) continue;
    seen.add(digest);
    const trained = await describeTrained(dir, sharedDir);
    const number = (names.get(trained.name) ?? 0) + 1;
    names.set(trained.name, number);
    list.push(number === 1 ? trained : { ...trained, name: `${trained.name} (${number})` });
  }
  return list;
}
