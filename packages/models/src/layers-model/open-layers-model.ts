import { stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { sizeOf } from '@joyul/compute';
import type { NamedTensor } from '../tensors.ts';
import { readKerasH5 } from './keras-h5.ts';
import type { LayerGraph } from './layer-graph.ts';
import { layerKinds } from './layer-kinds.ts';
import type { LayerWeight } from './layer-kinds.ts';
import { LayersModelError } from './layers-model-error.ts';
import type { StoredWeights } from './stored-weights.ts';
import { readTfjsModel } from './tfjs-model.ts';

/** A Keras or TensorFlow.js layers model, read. */
export interface LayersModelFile {
  readonly graph: LayerGraph;
  /** By name, `layer/weight`, in the order of the layers. */
  readonly tensors: ReadonlyMap<string, NamedTensor>;
  /** Names of tensors that no gradient changes: means and variances of normalisations. */
  readonly statistics: ReadonlySet<string>;
  /** Layers that have weights, from the input on: what a strategy freezes by name. */
  readonly blocks: readonly string[];
}

/** What is not supported in a model, each a sentence. */
function findProblems(graph: LayerGraph): readonly string[] {
  const unknown = new Map<string, string[]>();
  const settings: string[] = [];
  for (const { name, kind, config, numbers } of graph.calls) {
    if (kind === 'InputLayer') continue;
    const known = layerKinds[kind];
    if (known === undefined) unknown.set(kind, [...(unknown.get(kind) ?? []), name]);
    for (const setting of known?.refuse?.(config) ?? [])
      settings.push(`The layer ${name} (${kind}) has the setting ${setting}, which is not supported.`);
    if (numbers.length > 0 && known !== undefined && known.takesNumbers !== true)
      settings.push(
        `The layer ${name} (${kind}) takes the number ${numbers.join(', ')}, which is not supported.`,
      );
  }
  const kinds = [...unknown].map(
    ([kind, names]) => `${kind} is not a supported layer (${[...new Set(names)].join(', ')}).`,
  );
  return [...kinds, ...settings];
}

function findTensor(
  weights: StoredWeights,
  layer: string,
  { name, rank }: LayerWeight,
): NamedTensor | { readonly problem: string } {
  const stored = weights.find(layer, name);
  const full = `${layer}/${name}`;
  if (stored === undefined) return { problem: `The weight ${full} is missing.` };
  if (stored === 'ambiguous') return { problem: `Two layers are called ${layer}.` };
  if (stored.shape.length !== rank)
    return { problem: `The weight ${full} has ${stored.shape.length} axes instead of ${rank}.` };
  const data = stored.read();
  if (data.length !== sizeOf(stored.shape))
    return { problem: `The weight ${full} has ${data.length} numbers for [${stored.shape.join(', ')}].` };
  return { name: full, shape: stored.shape, data };
}

function collect(file: string, graph: LayerGraph, weights: StoredWeights): LayersModelFile {
  const problems = [...findProblems(graph)];
  const tensors = new Map<string, NamedTensor>();
  const statistics = new Set<string>();
  const blocks = new Set<string>();
  for (const { name: layer, kind, config } of graph.calls) {
    if (blocks.has(layer)) continue; // A layer that is used twice has its weights once.
    for (const weight of layerKinds[kind]?.weights?.(config) ?? []) {
      const found = findTensor(weights, layer, weight);
      if ('problem' in found) problems.push(found.problem);
      else tensors.set(found.name, found);
      if (weight.isStatistic === true) statistics.add(`${layer}/${weight.name}`);
      blocks.add(layer);
    }
  }
  if (problems.length > 0) throw new LayersModelError(file, [...new Set(problems)]);
  return { graph, tensors, statistics, blocks: [...blocks] };
}

/**
 * Reads a model of images: Keras' HDF5, or the `model.json` of TensorFlow.js (or its folder).
 *
 * @throws LayersModelError with everything that is not supported or missing.
 */
export async function openLayersModel(path: string): Promise<LayersModelFile> {
  const file = (await stat(path)).isDirectory() ? join(path, 'model.json') : path;
  const use = (graph: LayerGraph, weights: StoredWeights): LayersModelFile =>
    collect(basename(file), graph, weights);
  return file.endsWith('.json') ? readTfjsModel(file, use) : readKerasH5(file, use);
}
