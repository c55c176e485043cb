import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { parseBertConfig } from './bert/bert-config.ts';
import type { BertConfig } from './bert/bert-config.ts';
import { bertBlocks, bertWeightSpecs, canonicalName, maskedHeadSpecs } from './bert/bert-weights.ts';
import { blockOf } from './blocks.ts';
import { readGgufHeader } from './gguf/gguf-file.ts';
import { listLlamaTensors, makeLlamaJson } from './gguf/gguf-llama.ts';
import { readLlama3Scaling } from './gguf/gguf-rope.ts';
import { parseLlamaConfig } from './llama/llama-config.ts';
import type { LlamaConfig } from './llama/llama-config.ts';
import { llamaBlocks, llamaWeightSpecs } from './llama/llama-weights.ts';
import { findGguf } from './model-places.ts';
import { ModelConfigError } from './model-config.ts';
import { countElements, loadTensors } from './tensors.ts';
import type { LazyTensor, NamedTensor } from './tensors.ts';
import type { WeightSpec } from './weight-specs.ts';
import { WeightsError } from './weights-error.ts';
import { openWeights } from './weights-files.ts';
import type { FolderWeights } from './weights-files.ts';

interface OpenedModel {
  /** The folder with the model's files, or its GGUF file. */
  readonly path: string;
  /** The files with its weights. */
  readonly files: readonly string[];
  /** `config.json` as it is; of a GGUF file, what its metadata says in the same terms. */
  readonly rawConfig: Readonly<Record<string, unknown>>;
  /** From the input to the head. */
  readonly blocks: readonly string[];
  /** Labels of the head in the order of its logits; empty without a head. */
  readonly labels: readonly string[];
  /** Numbers in the model, without a classifier's head. */
  readonly weightCount: number;
  /** The model's weights and a classifier's head's, by canonical name; others in the file are left out. */
  readonly tensors: ReadonlyMap<string, LazyTensor>;
  /** Those of {@link tensors} that are wanted, in memory; absent means all. */
  readTensors(wanted?: (name: string) => boolean): Promise<ReadonlyMap<string, NamedTensor>>;
}

/** A BERT encoder, opened. */
export interface BertFolder extends OpenedModel {
  readonly architecture: 'bert';
  readonly config: BertConfig;
  /** The head that guesses masked words; empty where the file has none, or not the whole. */
  readonly maskedHead: readonly LazyTensor[];
}

/** A Llama decoder, opened. */
export interface LlamaFolder extends OpenedModel {
  readonly architecture: 'llama';
  readonly config: LlamaConfig;
}

/** A model on this machine, opened; weights are read when they are asked for. */
export type ModelFolder = BertFolder | LlamaFolder;

async function readJson(file: string): Promise<Record<string, unknown>> {
  const text = await readFile(file, 'utf8');
  try {
    return JSON.parse(text) as Record<string, unknown>; // Fields are checked where they are used.
  } catch {
    throw new ModelConfigError(['It is not JSON.'], basename(file));
  }
}

function parseLabels(config: Readonly<Record<string, unknown>>): readonly string[] {
  const labels = config['id2label'];
  if (typeof labels !== 'object' || labels === null || config['joyul_head'] !== true) return [];
  const entries = Object.entries(labels).map(([id, label]) => [Number(id), String(label)] as const);
  return entries.sort(([left], [right]) => left - right).map(([, label]) => label);
}

/** Weights of an opened model: every one of `specs` is there with the right shape. */
function takeWeights(
  file: string,
  stored: readonly LazyTensor[],
  specs: readonly WeightSpec[],
): Pick<OpenedModel, 'tensors' | 'weightCount' | 'readTensors'> {
  const byName = new Map(stored.map((tensor) => [tensor.name, tensor]));
  const known = new Set<string>();
  for (const spec of specs) {
    known.add(spec.name);
    const shape = byName.get(spec.name)?.shape;
    if (shape === undefined) throw new WeightsError(file, `the weight ${spec.name} is missing.`);
    if (shape.join() !== spec.shape.join())
      throw new WeightsError(
        file,
        `the weight ${spec.name} has the shape [${shape.join(', ')}], but ${basename(file).endsWith('.gguf') ? 'its metadata' : 'config.json'} needs [${spec.shape.join(', ')}].`,
      );
  }
  const isUsed = (name: string): boolean => known.has(name) || blockOf(name) === 'classifier';
  const tensors = new Map([...byName].filter(([name]) => isUsed(name)));
  return {
    tensors,
    weightCount: specs.reduce((sum, spec) => sum + countElements(spec.shape), 0),
    async readTensors(wanted = () => true) {
      const chosen = [...tensors.values()].filter((tensor) => wanted(tensor.name));
      return new Map((await loadTensors(chosen)).map((tensor) => [tensor.name, tensor]));
    },
  };
}

function makeLlama(
  rawConfig: OpenedModel['rawConfig'],
  config: LlamaConfig,
  weights: FolderWeights & { readonly path: string },
): LlamaFolder {
  return {
    path: weights.path,
    files: weights.files,
    architecture: 'llama',
    config,
    rawConfig,
    blocks: llamaBlocks(config),
    labels: parseLabels(rawConfig),
    ...takeWeights(weights.file, weights.tensors, llamaWeightSpecs(config)),
  };
}

async function openGguf(file: string): Promise<ModelFolder> {
  const header = await readGgufHeader(file);
  const described = makeLlamaJson(file, header);
  const scaling = await readLlama3Scaling(file, header, parseLlamaConfig(described, basename(file)));
  const rawConfig = scaling === undefined ? described : { ...described, rope_scaling: scaling };
  const config = parseLlamaConfig(rawConfig, basename(file));
  return makeLlama(rawConfig, config, {
    path: file,
    file,
    files: [file],
    tensors: listLlamaTensors(file, header, config),
  });
}

/** The head that guesses masked words, where it is whole and shares its last matrix with the embeddings. */
function findMaskedHead(
  rawConfig: OpenedModel['rawConfig'],
  config: BertConfig,
  stored: readonly LazyTensor[],
): readonly LazyTensor[] {
  const specs = maskedHeadSpecs(config);
  const found = specs.flatMap((spec) =>
    stored.filter(({ name, shape }) => name === spec.name && shape.join() === spec.shape.join()),
  );
  return found.length === specs.length && rawConfig['tie_word_embeddings'] !== false ? found : [];
}

async function openBert(dir: string, rawConfig: OpenedModel['rawConfig']): Promise<BertFolder> {
  const config = parseBertConfig(rawConfig);
  const { file, files, tensors } = await openWeights(dir);
  const stored = tensors.map((tensor) => ({ ...tensor, name: canonicalName(tensor.name) }));
  return {
    path: dir,
    files,
    architecture: 'bert',
    config,
    rawConfig,
    blocks: bertBlocks(config),
    labels: parseLabels(rawConfig),
    maskedHead: findMaskedHead(rawConfig, config, stored),
    ...takeWeights(file, stored, bertWeightSpecs(config)),
  };
}

async function openHuggingFace(dir: string): Promise<ModelFolder> {
  const rawConfig = await readJson(join(dir, 'config.json'));
  switch (rawConfig['model_type']) {
    case 'bert':
      return openBert(dir, rawConfig);
    case 'llama':
    case 'mistral': {
      const config = parseLlamaConfig(rawConfig);
      return makeLlama(rawConfig, config, { path: dir, ...(await openWeights(dir)) });
    }
    default:
      throw new ModelConfigError([
        `"model_type" is ${JSON.stringify(rawConfig['model_type'])}; only "bert", "llama", "mistral" are supported.`,
      ]);
  }
}

/** Every weight of a model, in the order of the forward pass. */
export const weightSpecsOf = (model: ModelFolder): readonly WeightSpec[] =>
  model.architecture === 'bert' ? bertWeightSpecs(model.config) : llamaWeightSpecs(model.config);

/** Opens a model folder or a GGUF file, and checks that every weight it needs is there with the right shape. */
export async function openModel(path: string): Promise<ModelFolder> {
  const gguf = await findGguf(path);
  return gguf === undefined ? openHuggingFace(path) : openGguf(gguf);
}
