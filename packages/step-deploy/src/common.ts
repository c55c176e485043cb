import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StepContext } from '@joyul/plugin-api';
import { readDataset } from '@joyul/data';
import type { DatasetHeader } from '@joyul/data';
import type { Strategy, Trainability } from '@joyul/training';
import type { DeployParams } from './index.ts';

type Ports = {
  readonly trained: { readonly type: 'trained-model' };
  readonly metrics: { readonly type: 'test-metrics'; readonly optional: true };
  readonly dataset: { readonly type: 'dataset' };
  readonly model: { readonly type: 'base-model'; readonly optional: true };
};
/** What the step's files use of its context. */
export type Context = StepContext<
  DeployParams,
  Ports,
  { readonly deployment: { readonly type: 'deployment' } }
>;

/** A file of an earlier step; undefined where it is missing. */
async function readJson<T>(dir: string | undefined, name: string): Promise<T | undefined> {
  if (dir === undefined) return undefined;
  const text = await readFile(join(dir, name), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as T); // Written by an earlier step.
}

/** Writes a value as JSON. */
export async function writeJson(dir: string, name: string, value: unknown): Promise<void> {
  await writeFile(join(dir, name), `${JSON.stringify(value, null, 2)}\n`);
}

/** Where an export goes, and what the model is called. */
export interface Export {
  readonly dir: string;
  readonly name: string;
}

/** What earlier steps tell of a trained model. */
export interface Making<Test> {
  readonly header: DatasetHeader;
  readonly training: { readonly strategy: Strategy; readonly hparams: { readonly max_length: number } };
  readonly proof: Trainability;
  /** Where the base model came from, such as `hf:owner/name`; absent where deploy was not given it. */
  readonly source: string | undefined;
  /** Absent when the model was not tested. */
  readonly test: Test | undefined;
}

/** Reads what a model card tells; `Test` is what the test step writes for the task. */
export async function readMaking<Test>({ inputs }: Pick<Context, 'inputs'>): Promise<Making<Test>> {
  const [{ header }, training, proof, origin, test] = await Promise.all([
    readDataset(inputs.dataset),
    readJson<Making<Test>['training']>(inputs.trained, 'training.json'),
    readJson<Trainability>(inputs.trained, 'trainability.json'),
    readJson<{ readonly source: string }>(inputs.model, 'joyul-model.json'),
    readJson<Test>(inputs.metrics, 'metrics.json'),
  ]);
  if (training === undefined || proof === undefined)
    throw new Error('Internal error: the trained model has no training.json.');
  return { header, training, proof, source: origin?.source, test };
}

/** The folder of the adapter that was trained, when there is one and the base model to try it beside; says why not. */
export async function findAdapter({
  inputs,
  emit,
}: Pick<Context, 'inputs' | 'emit'>): Promise<{ readonly from: string; readonly base: string } | undefined> {
  const from = join(inputs.trained, 'adapter');
  const isThere = await access(from).then(
    () => true,
    () => false,
  );
  if (!isThere) return undefined;
  if (inputs.model !== undefined) return { from, base: inputs.model };
  emit({
    type: 'finding',
    text: 'The adapter is not exported, since deploy was not given the base `model`.',
  });
  return undefined;
}

/** Whether base model and adapter are as near to the merged weights as they have to be; says so where they are not. */
export function isSameModel({ emit }: Pick<Context, 'emit'>, difference: number, bound: number): boolean {
  if (difference <= bound) return true;
  emit({
    type: 'finding',
    weight: 'warning',
    text: `The adapter is not exported: beside the base model its logits differ by up to ${difference.toExponential(1)} from the merged weights'. Training started from other weights; the merged ones are exported.`,
  });
  return false;
}

/** The name on the hub of a model that came from there. */
export const hubName = (source: string | undefined): string | undefined =>
  /^hf:([^@]+)/.exec(source ?? '')?.[1];
