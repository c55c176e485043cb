import { open } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Dataset, File, Group } from 'h5wasm/node';
import { parseLayerGraph } from './layer-graph.ts';
import type { LayerGraph } from './layer-graph.ts';
import { LayersModelError } from './layers-model-error.ts';
import { StoredWeights } from './stored-weights.ts';

const signature = Buffer.from([0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]);

async function isHdf5(file: string): Promise<boolean> {
  const handle = await open(file);
  try {
    const { buffer } = await handle.read(Buffer.alloc(signature.length), 0, signature.length, 0);
    return buffer.equals(signature);
  } finally {
    await handle.close();
  }
}

const textOf = (value: unknown): string =>
  value instanceof Uint8Array ? Buffer.from(value).toString() : String(value);

/** Adds the weights of one layer, or of one model inside the model. */
function addGroup(weights: StoredWeights, name: string, group: Group): void {
  const names = group.attrs['weight_names']?.value;
  if (!Array.isArray(names)) return;
  for (const path of names.map(textOf)) {
    const dataset = group.get(path) as Dataset | null; // A weight's name leads to its numbers.
    if (dataset === null) continue;
    weights.add(`${name}/${path}`, {
      shape: dataset.shape ?? [],
      read: () => Float32Array.from(dataset.value as Float32Array), // Keras stores floats.
    });
  }
}

/**
 * Reads a model that Keras saved as HDF5 (`.h5`, `.hdf5`): `use` gets its layers and weights, which can be read
 * until it returns.
 */
export async function readKerasH5<T>(
  path: string,
  use: (graph: LayerGraph, weights: StoredWeights) => T,
): Promise<T> {
  const name = basename(path);
  if (!(await isHdf5(path))) throw new LayersModelError(name, ['It is not an HDF5 file.']);
  const { default: h5wasm } = await import('h5wasm/node'); // Takes 0.3 s, so it is loaded when it is needed.
  // The library prints its errors unless it throws them.
  (await h5wasm.ready).activate_throwing_error_handler();
  let file: File | undefined;
  try {
    file = new h5wasm.File(path, 'r');
    const description = file.attrs['model_config']?.value ?? '';
    const weights = new StoredWeights();
    const root = file.get('model_weights') as Group | null; // Keras always writes a group.
    for (const layer of root?.keys() ?? []) {
      const group = root?.get(layer);
      if (group instanceof h5wasm.Group) addGroup(weights, layer, group);
    }
    if (description === '')
      throw new LayersModelError(name, [
        'It holds weights without the description of a model; save it in Keras with model.save("model.h5").',
      ]);
    return use(parseLayerGraph(name, JSON.parse(textOf(description))), weights);
  } catch (error) {
    if (error instanceof LayersModelError) throw error;
    throw new LayersModelError(name, [`It is damaged: ${lastReason(error)}.`], { cause: error });
  } finally {
    file?.close();
  }
}

/** The innermost reason in a message of the HDF5 library, which is a list of calls. */
function lastReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return [...message.matchAll(/\(\): (.*)/g)].at(-1)?.[1] ?? message;
}
