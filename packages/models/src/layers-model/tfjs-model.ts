import { readFile } from 'node:fs/promises';
import { basename, dirname, resolve, sep } from 'node:path';
import { numberFormats } from '../number-formats.ts';
import { asJson } from './layer-config.ts';
import type { Json } from './layer-config.ts';
import { parseLayerGraph } from './layer-graph.ts';
import type { LayerGraph } from './layer-graph.ts';
import { LayersModelError } from './layers-model-error.ts';
import { StoredWeights } from './stored-weights.ts';

/** How a weight's numbers are stored: as they are, or as whole numbers q with value = q·scale + min. */
interface Storage {
  readonly dtype: string;
  readonly scale: number;
  readonly min: number;
}

const bytesOf: Readonly<Record<string, number>> = { float32: 4, float16: 2, uint8: 1, uint16: 2 };

function storageOf(weight: Json): Storage {
  const quantization = asJson(weight['quantization']);
  return {
    dtype: String(quantization['dtype'] ?? weight['dtype']),
    scale: Number(quantization['scale'] ?? 1),
    min: Number(quantization['min'] ?? 0),
  };
}

function readNumbers(bytes: Buffer, { dtype, scale, min }: Storage): Float32Array {
  if (dtype === 'float16' || dtype === 'float32') {
    const format = numberFormats[dtype === 'float16' ? 'F16' : 'F32'];
    const values = new Float32Array(bytes.length / format.blockBytes);
    format.unpack(Uint8Array.from(bytes), values);
    return values;
  }
  const width = bytesOf[dtype] ?? 1;
  return Float32Array.from(
    { length: bytes.length / width },
    (_, index) => (width === 1 ? bytes.readUInt8(index) : bytes.readUInt16LE(2 * index)) * scale + min,
  );
}

async function addShards(file: string, manifest: Json, weights: StoredWeights): Promise<void> {
  const folder = dirname(resolve(file));
  const paths = (manifest['paths'] ?? []) as readonly string[]; // As TensorFlow.js documents it.
  const shards = paths.map((path) => resolve(folder, path));
  if (shards.some((path) => !path.startsWith(folder + sep)))
    throw new LayersModelError(basename(file), ['It names weights outside its folder.']);
  const content = Buffer.concat(await Promise.all(shards.map((path) => readFile(path))));
  let at = 0;
  for (const weight of (manifest['weights'] ?? []) as readonly Json[]) {
    // As TensorFlow.js documents it.
    const storage = storageOf(weight);
    const shape = (weight['shape'] ?? []) as readonly number[]; // As above.
    const width = bytesOf[storage.dtype];
    if (width === undefined)
      throw new LayersModelError(basename(file), [
        `The weight ${String(weight['name'])} has the type ${storage.dtype}.`,
      ]);
    const bytes = content.subarray(
      at,
      (at += width * shape.reduce((product, length) => product * length, 1)),
    );
    weights.add(`model/${String(weight['name'])}`, { shape, read: () => readNumbers(bytes, storage) });
  }
  if (at !== content.length)
    throw new LayersModelError(basename(file), [
      `Its weights have ${content.length} bytes instead of ${at}.`,
    ]);
}

/** Reads a TensorFlow.js layers model, `model.json` with the files of weights beside it. */
export async function readTfjsModel<T>(
  path: string,
  use: (graph: LayerGraph, weights: StoredWeights) => T,
): Promise<T> {
  const name = basename(path);
  const json = asJson(JSON.parse(await readFile(path, 'utf8')));
  if (json['format'] === 'graph-model')
    throw new LayersModelError(name, [
      'It is a graph model, which cannot be trained; a layers model is needed.',
    ]);
  const topology = asJson(json['modelTopology']);
  const weights = new StoredWeights();
  for (const manifest of (json['weightsManifest'] ?? []) as readonly Json[])
    // As TensorFlow.js documents it.
    await addShards(path, manifest, weights);
  return use(parseLayerGraph(name, topology['model_config'] ?? topology), weights);
}
