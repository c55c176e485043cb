import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tensor } from '@joyul/compute';
import type { ModelFolder, NamedTensor } from '@joyul/models';
import type { TrunkOptions, TrunkText } from './run-trunk.ts';
import { runTrunk } from './run-trunk.ts';
import { digestText, makeTrunkKey } from './trunk-key.ts';
import type { FeaturePooling, TrunkModel } from './trunk-model.ts';
import { poolStates, trunkOf } from './trunk-model.ts';
import { TrunkStore } from './trunk-store.ts';

/** Pooled features of every text after the chosen layers: rows of `width` numbers. */
export interface Features {
  readonly width: number;
  /** By layer: 0 is after the embeddings, n after n layers. Each is [texts × width]. */
  readonly byLayer: ReadonlyMap<number, Float32Array>;
  /** Texts whose features were all there already. */
  readonly reused: number;
}

/** Settings of {@link encodeFeatures}. */
export interface FeatureOptions extends TrunkOptions {
  readonly layers: readonly number[];
  readonly pooling: FeaturePooling;
  /** Absent means the model's own. */
  readonly weights?: ReadonlyMap<string, NamedTensor>;
  /** The folder that projects share between steps and runs; absent: nothing is kept. */
  readonly sharedDir?: string;
  readonly onWarning?: (message: string) => void;
}

type Stores = ReadonlyMap<number, TrunkStore>;

async function openStores(
  root: string,
  trunk: TrunkModel,
  weights: ReadonlyMap<string, NamedTensor>,
  options: FeatureOptions,
): Promise<Stores> {
  const { layers, pooling: kind, backend, matmul = 'float32' } = options;
  const stores = new Map<number, TrunkStore>();
  for (const cut of layers) {
    const key = makeTrunkKey({ trunk, weights, cut, kind, stateType: 'float32', backend, matmul });
    stores.set(cut, await TrunkStore.open(join(root, 'trunk'), key, options));
  }
  return stores;
}

/** Computes the features of texts at every layer and adds them to the layers' stores. */
async function addFeatures(
  stores: Stores,
  missing: ReadonlyMap<string, TrunkText>,
  pass: { readonly trunk: TrunkModel; readonly weights: ReadonlyMap<string, NamedTensor> },
  options: FeatureOptions,
): Promise<void> {
  const names = [...missing.keys()];
  const width = pass.trunk.hiddenSize;
  await runTrunk(
    {
      ...pass,
      texts: [...missing.values()],
      layers: Math.max(...options.layers),
      outputs: (states, mask, shape) =>
        Object.fromEntries(
          options.layers.flatMap((layer): (readonly [string, Tensor])[] => {
            const own = states[layer];
            return own === undefined
              ? []
              : [[String(layer), poolStates(own, mask, shape, options.pooling)] as const];
          }),
        ),
      take: async (outputs, indices) => {
        for (const [layer, data] of Object.entries(outputs))
          for (const [row, index] of indices.entries()) {
            const own = new Uint8Array(data.buffer, data.byteOffset + row * width * 4, width * 4);
            await stores.get(Number(layer))?.add(names[index] ?? '', own);
          }
      },
    },
    options,
  );
  for (const store of stores.values()) await store.flush();
}

async function readFeatures(
  store: TrunkStore,
  names: readonly string[],
  width: number,
): Promise<Float32Array> {
  const bytes = new Uint8Array(names.length * width * 4);
  await Promise.all(
    names.map((name, row) => {
      const place = store.find(name);
      if (place === undefined) throw new Error('Internal error: features that were written are not there.');
      return place.shard.read(bytes, row * width * 4, place.offset, place.length);
    }),
  );
  return new Float32Array(bytes.buffer);
}

/** Pooled features of a frozen encoder at some depths, in one pass over the texts that were not seen before. */
export async function encodeFeatures(
  model: ModelFolder,
  texts: readonly TrunkText[],
  options: FeatureOptions,
): Promise<Features> {
  const trunk = trunkOf(model);
  const weights = options.weights ?? (await model.readTensors());
  const root = options.sharedDir ?? (await mkdtemp(join(tmpdir(), 'joyul-features-')));
  const stores = await openStores(root, trunk, weights, options);
  try {
    const names = texts.map((text) => digestText(text.ids));
    const verify = async (): Promise<void> => {
      for (const store of stores.values()) await store.verify(names, Number.POSITIVE_INFINITY);
    };
    await verify();
    const isThere = (name: string): boolean =>
      [...stores.values()].every((store) => store.find(name) !== undefined);
    const missing = new Map(texts.flatMap((text, index) => {
      const name = names[index] ?? '';
      return isThere(name) ? [] : [[name, text] as const];
    })); // prettier-ignore
    const reused = new Set(names).size - missing.size;
    if (missing.size > 0) {
      await addFeatures(stores, missing, { trunk, weights }, options);
      await verify();
    }
    const byLayer = new Map<number, Float32Array>();
    for (const [layer, store] of stores)
      byLayer.set(layer, await readFeatures(store, names, trunk.hiddenSize));
    return { width: trunk.hiddenSize, byLayer, reused };
  } finally {
    for (const store of stores.values()) await store.close();
    if (options.sharedDir === undefined) await rm(root, { recursive: true, force: true });
  }
}
