import type { Backend } from '@joyul/plugin-api';
import { Program, createSession } from '@joyul/compute';
import type { Tensor } from '@joyul/compute';
import { Bert } from '@joyul/models';
import type { BatchShape, BertFolder, NamedTensor, Pooling } from '@joyul/models';
import type { Example } from './batches.ts';
import { chooseBuckets, makeBatches, padBatch } from './batches.ts';

/** Settings of a pass through a frozen encoder. */
export interface EncodeOptions {
  readonly padId: number;
  readonly backend?: Backend;
  readonly signal?: AbortSignal;
  readonly batchSize?: number;
  readonly onProgress?: (done: number, total: number) => void;
}

const defaultBatchSize = 32;

interface PassOptions extends EncodeOptions {
  /** Layers that the pass goes through. */
  readonly layers: number;
  /** Outputs of one batch, from the states after each layer; index 0 is after the embeddings. */
  readonly outputs: (
    bert: Bert,
    states: readonly Tensor[],
    mask: Tensor,
    shape: BatchShape,
  ) => Readonly<Record<string, Tensor>>;
  readonly take: (name: string, data: Float32Array, indices: readonly number[], time: number) => void;
}

/** Runs every example once through the lower layers of a model. */
async function passThrough(
  model: BertFolder,
  weights: ReadonlyMap<string, NamedTensor>,
  examples: readonly Example[],
  options: PassOptions,
): Promise<void> {
  const { batchSize = defaultBatchSize, layers } = options;
  const buckets = chooseBuckets(examples.map((example) => example.ids.length));
  const program = new Program();
  const bert = Bert.declare(program, { ...model.config, layers });
  for (const time of buckets) {
    const shape = { batch: batchSize, time };
    program.entry(`encode-${time}`, (builder) => {
      const mask = builder.input('mask', 'float32', [batchSize, time]);
      const states = [bert.embed(builder.input('ids', 'int32', [batchSize, time]), shape)];
      for (let layer = 0; layer < layers; layer++) {
        const before = states[layer];
        if (before !== undefined)
          states.push(bert.layers(before, mask, shape, { from: layer, to: layer + 1 }));
      }
      return { outputs: options.outputs(bert, states, mask, shape) };
    });
  }
  const session = await createSession(
    program,
    options.backend === undefined ? {} : { backend: options.backend },
  );
  try {
    await session.write(
      Object.fromEntries(
        [...bert.weights.keys()].map((name) => [name, weights.get(name)?.data ?? new Float32Array()]),
      ),
    );
    let done = 0;
    for (const batch of makeBatches(examples, buckets, batchSize)) {
      options.signal?.throwIfAborted();
      const { ids, mask } = padBatch(batch, examples, batchSize, options.padId);
      const outputs = await session.run(`encode-${batch.time}`, { ids, mask });
      for (const [name, data] of Object.entries(outputs))
        if (data instanceof Float32Array) options.take(name, data, batch.indices, batch.time);
      done += batch.indices.length;
      options.onProgress?.(done, examples.length);
    }
  } finally {
    session.dispose();
  }
}

/** Pooled features of every example after the chosen layers: rows of `width` numbers. */
export interface Features {
  readonly width: number;
  /** By layer: 0 is after the embeddings, n after n layers. Each is [examples × width]. */
  readonly byLayer: ReadonlyMap<number, Float32Array>;
}

/** Pooled features of a frozen encoder at some depths, in one pass. */
export async function encodeFeatures(
  model: BertFolder,
  examples: readonly Example[],
  options: EncodeOptions & {
    readonly layers: readonly number[];
    readonly pooling: Pooling;
    readonly weights?: ReadonlyMap<string, NamedTensor>;
  },
): Promise<Features> {
  const width = model.config.hiddenSize;
  const byLayer = new Map(options.layers.map((layer) => [layer, new Float32Array(examples.length * width)]));
  await passThrough(model, options.weights ?? (await model.readTensors()), examples, {
    ...options,
    layers: Math.max(...options.layers),
    outputs: (bert, states, mask, shape) =>
      Object.fromEntries(
        options.layers.flatMap((layer) => {
          const tensor = states[layer];
          return tensor === undefined
            ? []
            : [[String(layer), bert.pool(tensor, mask, shape, options.pooling)] as const];
        }),
      ),
    take: (name, data, indices) => {
      const target = byLayer.get(Number(name));
      indices.forEach((index, row) =>
        target?.set(data.subarray(row * width, (row + 1) * width), index * width),
      );
    },
  });
  return { width, byLayer };
}

/** Token states of every example at a cut: each [its own length × width]. */
export type CachedStates = readonly Float32Array[];

/** The states before layer `cut`, computed once; training above the cut starts from them. */
export async function encodeStates(
  model: BertFolder,
  weights: ReadonlyMap<string, NamedTensor>,
  examples: readonly Example[],
  options: EncodeOptions & { readonly cut: number },
): Promise<CachedStates> {
  const width = model.config.hiddenSize;
  const states: Float32Array[] = examples.map(() => new Float32Array());
  await passThrough(model, weights, examples, {
    ...options,
    layers: options.cut,
    outputs: (_bert, all) => {
      const last = all.at(-1);
      return last === undefined ? {} : { states: last };
    },
    take: (_name, data, indices, time) => {
      indices.forEach((index, row) => {
        const length = examples[index]?.ids.length ?? 0;
        states[index] = data.slice(row * time * width, (row * time + length) * width);
      });
    },
  });
  return states;
}

/** States of a batch, padded with zeros to [batch·time × width]. */
export function padStates(
  states: CachedStates,
  indices: readonly number[],
  size: number,
  time: number,
  width: number,
): Float32Array {
  const padded = new Float32Array(size * time * width);
  indices.forEach((index, row) => {
    const own = states[index];
    if (own !== undefined) padded.set(own.subarray(0, time * width), row * time * width);
  });
  return padded;
}
