import { Program, createSession } from '@joyul/compute';
import type { Tensor, TensorData } from '@joyul/compute';
import type { BatchShape, NamedTensor } from '@joyul/models';
import type { Backend } from '@joyul/plugin-api';
import { padBatch } from '../batches.ts';
import type { TrunkModel } from './trunk-model.ts';

/** A text as a trunk sees it. */
export interface TrunkText {
  readonly ids: Int32Array;
}

/** Settings of a pass through frozen layers. */
export interface TrunkOptions {
  readonly padId: number;
  readonly backend?: Backend;
  /** The element type inside matrix products; the default is float32. */
  readonly matmul?: 'float32' | 'bfloat16';
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/** What a pass computes, and what becomes of it. */
export interface TrunkPass {
  readonly trunk: TrunkModel;
  readonly weights: ReadonlyMap<string, NamedTensor>;
  readonly texts: readonly TrunkText[];
  /** Layers that the pass goes through. */
  readonly layers: number;
  /** Outputs of one batch, from the states after each layer; index 0 is after the embeddings. */
  readonly outputs: (
    states: readonly Tensor[],
    mask: Tensor,
    shape: BatchShape,
  ) => Readonly<Record<string, Tensor>>;
  /** Takes the outputs of a batch; row i is that of text `indices[i]`. */
  readonly take: (
    outputs: Readonly<Record<string, TensorData>>,
    indices: readonly number[],
    time: number,
  ) => Promise<void> | void;
}

/** Padded lengths; beyond the last, multiples of it. */
const lengths = [8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512];
/** Tokens of a batch, with padding. */
const batchTokens = 1024;

/** The padded length of a text, which depends on nothing but its own length: so do its states. */
function paddedLength(length: number, longest: number): number {
  const wanted = lengths.find((item) => item >= length) ?? Math.ceil(length / 512) * 512;
  return Math.max(length, Math.min(wanted, longest));
}

/**
 * Sends every text once through the lower layers of a model.
 *
 * A text's padded length and the batch's size follow from the text alone, not from those beside it, so that its states
 * are the same bits whenever they are computed.
 */
export async function runTrunk(pass: TrunkPass, options: TrunkOptions): Promise<void> {
  const { trunk, weights, texts, layers } = pass;
  const { padId, backend, matmul, signal, onProgress } = options;
  const times = [...new Set(texts.map((text) => paddedLength(text.ids.length, trunk.maxPositions)))].sort(
    (a, b) => a - b,
  );
  const program = new Program();
  const declared = trunk.declare(program, layers);
  const sizeOf = (time: number): number => Math.max(1, Math.floor(batchTokens / time));
  for (const time of times) {
    const shape = { batch: sizeOf(time), time };
    program.entry(`trunk-${time}`, (builder) => {
      const mask = builder.input('mask', 'float32', [shape.batch, time]);
      const ids = builder.input('ids', 'int32', [shape.batch, time]);
      return { outputs: pass.outputs(declared.states(ids, mask, shape), mask, shape) };
    });
  }
  const session = await createSession(program, {
    ...(backend === undefined ? {} : { backend }),
    ...(matmul === undefined ? {} : { matmul }),
  });
  try {
    await session.write(
      Object.fromEntries(
        [...declared.weights.keys()].map((name) => [name, weights.get(name)?.data ?? new Float32Array()]),
      ),
    );
    let done = 0;
    const examples = texts.map(({ ids }) => ({ ids, label: -100 }));
    for (const time of times) {
      const isHere = (index: number): boolean =>
        paddedLength(texts[index]?.ids.length ?? 0, trunk.maxPositions) === time;
      const here = texts.flatMap((_, index) => (isHere(index) ? [index] : []));
      for (let at = 0; at < here.length; at += sizeOf(time)) {
        signal?.throwIfAborted();
        const indices = here.slice(at, at + sizeOf(time));
        const { ids, mask } = padBatch({ indices, time }, examples, sizeOf(time), padId);
        await pass.take(await session.run(`trunk-${time}`, { ids, mask }), indices, time);
        done += indices.length;
        onProgress?.(done, texts.length);
      }
    }
  } finally {
    session.dispose();
  }
}
