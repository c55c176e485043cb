import { copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeTensors } from './safetensors.ts';
import type { NamedTensor } from './tensors.ts';

const tokenizerFiles = /^(?:tokenizer.*\.json|special_tokens_map\.json|vocab\.txt|added_tokens\.json)$/;

/** Copies the tokenizer's files, so that the folder opens on its own. */
export async function copyTokenizer(from: string, to: string): Promise<void> {
  for (const name of await readdir(from)) {
    if (tokenizerFiles.test(name)) await copyFile(join(from, name), join(to, name));
  }
}

/** What is written into a model folder. */
export interface ModelContent {
  readonly rawConfig: Readonly<Record<string, unknown>>;
  readonly tensors: readonly NamedTensor[];
  /** The labels of the head; absent where there is none. */
  readonly labels?: readonly string[];
  /** A folder whose tokenizer files are copied. */
  readonly tokenizerFrom: string;
}

/** Writes a model folder that `openModel` opens. */
export async function writeModel(dir: string, content: ModelContent): Promise<void> {
  await mkdir(dir, { recursive: true });
  const { labels } = content;
  const head =
    labels === undefined
      ? {}
      : {
          joyul_head: true,
          id2label: Object.fromEntries(labels.map((label, index) => [index, label])),
          label2id: Object.fromEntries(labels.map((label, index) => [label, index])),
        };
  await writeTensors(join(dir, 'model.safetensors'), content.tensors);
  await writeFile(
    join(dir, 'config.json'),
    `${JSON.stringify({ ...content.rawConfig, ...head }, null, 2)}\n`,
  );
  await copyTokenizer(content.tokenizerFrom, dir);
}
