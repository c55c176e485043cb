import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { StepContext } from '@joyul/plugin-api';
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
export async function readJson<T>(dir: string | undefined, name: string): Promise<T | undefined> {
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
