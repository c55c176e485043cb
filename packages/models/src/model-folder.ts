import { copyFile, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseBertConfig } from './bert/bert-config.ts';
import type { BertConfig } from './bert/bert-config.ts';
import { bertBlocks, bertWeightSpecs, blockOf, canonicalName } from './bert/bert-weights.ts';
import type { NamedTensor } from './safetensors.ts';
import { WeightsError, listTensors, readTensors, writeTensors } from './safetensors.ts';

/** A Hugging Face model folder, opened; weights are read when they are asked for. */
export interface ModelFolder {
  readonly dir: string;
  readonly architecture: 'bert';
  readonly config: BertConfig;
  /** `config.json` as it is. */
  readonly rawConfig: Readonly<Record<string, unknown>>;
  /** From the input to the head. */
  readonly blocks: readonly string[];
  /** Labels of the head in the order of its logits; empty without a head. */
  readonly labels: readonly string[];
  /** Numbers in the encoder, without the head. */
  readonly weightCount: number;
  /** The encoder's weights and the head's, by canonical name; others in the file are left out. */
  readTensors(wanted?: (name: string) => boolean): Promise<ReadonlyMap<string, NamedTensor>>;
}

const weightsFile = 'model.safetensors';

async function readJson(file: string): Promise<Record<string, unknown>> {
  return JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>; // Fields are checked where they are used.
}

function parseLabels(config: Readonly<Record<string, unknown>>): readonly string[] {
  const labels = config['id2label'];
  if (typeof labels !== 'object' || labels === null || config['joyul_head'] !== true) return [];
  const entries = Object.entries(labels).map(([id, label]) => [Number(id), String(label)] as const);
  return entries.sort(([left], [right]) => left - right).map(([, label]) => label);
}

/** Opens a model folder and checks that every weight it needs is there with the right shape. */
export async function openModel(dir: string): Promise<ModelFolder> {
  const rawConfig = await readJson(join(dir, 'config.json'));
  const config = parseBertConfig(rawConfig);
  const file = join(dir, weightsFile);
  const stored = new Map((await listTensors(file)).map((tensor) => [canonicalName(tensor.name), tensor]));
  const specs = bertWeightSpecs(config);
  for (const spec of specs) {
    const shape = stored.get(spec.name)?.shape;
    if (shape === undefined) throw new WeightsError(file, `the weight ${spec.name} is missing.`);
    if (shape.join() !== spec.shape.join())
      throw new WeightsError(
        file,
        `the weight ${spec.name} has the shape [${shape.join(', ')}], but config.json needs [${spec.shape.join(', ')}].`,
      );
  }
  return {
    dir,
    architecture: 'bert',
    config,
    rawConfig,
    blocks: bertBlocks(config),
    labels: parseLabels(rawConfig),
    weightCount: specs.reduce(
      (sum, spec) => sum + spec.shape.reduce((product, length) => product * length, 1),
      0,
    ),
    async readTensors(wanted = () => true) {
      const known = new Set(specs.map((spec) => spec.name));
      const keep = (name: string): boolean =>
        (known.has(name) || blockOf(name) === 'classifier') && wanted(name);
      const tensors = await readTensors(file, (name) => keep(canonicalName(name)));
      return new Map(
        tensors.map((tensor) => [
          canonicalName(tensor.name),
          { ...tensor, name: canonicalName(tensor.name) },
        ]),
      );
    },
  };
}

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

/** Writes a model folder that {@link openModel} opens. */
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
  await writeTensors(join(dir, weightsFile), content.tensors);
  await writeFile(
    join(dir, 'config.json'),
    `${JSON.stringify({ ...content.rawConfig, ...head }, null, 2)}\n`,
  );
  await copyTokenizer(content.tokenizerFrom, dir);
}
