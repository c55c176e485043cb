import { mkdtemp, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packHalf } from '@joyul/compute';
import type { TensorData } from '@joyul/compute';
import type { NamedTensor } from '@joyul/models';
import type { Batch } from '../batches.ts';
import type { TrunkOptions, TrunkText } from './run-trunk.ts';
import { runTrunk } from './run-trunk.ts';
import type { StateType } from './trunk-key.ts';
import { digestText, makeTrunkKey } from './trunk-key.ts';
import type { TrunkModel } from './trunk-model.ts';
import type { Place } from './trunk-store.ts';
import { TrunkStore } from './trunk-store.ts';

/** Where and how states are kept. */
export interface StateOptions extends TrunkOptions {
  /** The folder that projects share between steps and runs; absent: a folder that is gone again afterwards. */
  readonly sharedDir?: string;
  /** The default is float16. */
  readonly stateType?: StateType;
  /** States up to this size are also held in memory. */
  readonly memoryBytes?: number;
  /** A file of states is closed beyond this size. */
  readonly shardBytes?: number;
  readonly onWarning?: (message: string) => void;
}

/** What a cache of states came to. */
export interface TrunkReport {
  /** Texts, each counted once. */
  readonly texts: number;
  /** Of them, those whose states were there already. */
  readonly reused: number;
  readonly bytes: number;
  readonly isInMemory: boolean;
  /** Milliseconds for computing and writing. */
  readonly computeMs: number;
  /** Milliseconds for finding, reading and checking. */
  readonly readMs: number;
}

/** States of a list of texts, read batch by batch. */
export interface StateReader {
  /** Says which batches will be read, in their order: each is read while the one before is trained on. */
  expect(batches: readonly Batch[]): void;
  /** The states of a batch, padded with zeros to [rows·time, hidden]; float16 numbers come two in an int32. */
  read(batch: Batch, rows: number): Promise<TensorData>;
}

const defaultMemoryBytes = 512e6;
/** Left free on the disk. */
const reserveBytes = 1e9;

/** The type that states of this width can have: float16 numbers are stored in pairs. */
export const stateTypeFor = (width: number, wanted: StateType = 'float16'): StateType =>
  width % 2 === 0 ? wanted : 'float32';

/** Keeps states open for reading. */
export class TrunkStates {
  readonly stateType: StateType;
  readonly report: TrunkReport;
  readonly #places: readonly Place[];
  readonly #rowBytes: number;
  readonly #close: () => Promise<void>;

  constructor(parts: {
    readonly stateType: StateType;
    readonly report: TrunkReport;
    /** By text. */
    readonly places: readonly Place[];
    readonly rowBytes: number;
    readonly close: () => Promise<void>;
  }) {
    this.stateType = parts.stateType;
    this.report = parts.report;
    this.#places = parts.places;
    this.#rowBytes = parts.rowBytes;
    this.#close = parts.close;
  }

  /** Reads the texts from `first` on. */
  reader(first = 0): StateReader {
    const positions = new Map<Batch, number>();
    let expected: readonly Batch[] = [];
    let ahead: { readonly batch: Batch; readonly states: Promise<TensorData> } | undefined;
    return {
      expect(batches) {
        expected = batches;
        positions.clear();
        batches.forEach((batch, position) => positions.set(batch, position));
      },
      read: (batch, rows) => {
        const states = ahead?.batch === batch ? ahead.states : this.#read(batch, rows, first);
        const next = expected[(positions.get(batch) ?? expected.length) + 1];
        ahead = undefined;
        if (next !== undefined && !this.report.isInMemory) {
          ahead = { batch: next, states: this.#read(next, rows, first) };
          ahead.states.catch(() => undefined); // Whoever awaits it is told; nobody may.
        }
        return states;
      },
    };
  }

  async #read({ indices, time }: Batch, rows: number, first: number): Promise<TensorData> {
    const bytes = new Uint8Array(rows * time * this.#rowBytes);
    const reads = indices.map((index, row) => {
      const place = this.#places[first + index];
      if (place === undefined) throw new Error(`Internal error: text ${first + index} has no states.`);
      const length = Math.min(place.length, time * this.#rowBytes);
      return place.shard.read(bytes, row * time * this.#rowBytes, place.offset, length);
    });
    await Promise.all(reads);
    return this.stateType === 'float16' ? new Int32Array(bytes.buffer) : new Float32Array(bytes.buffer);
  }

  /** Closes all files. */
  close(): Promise<void> {
    return this.#close();
  }
}

/** Computes the states of texts and adds them to a store. */
async function computeStates(
  store: TrunkStore,
  texts: ReadonlyMap<string, TrunkText>,
  pass: {
    readonly trunk: TrunkModel;
    readonly weights: ReadonlyMap<string, NamedTensor>;
    readonly cut: number;
  },
  options: StateOptions & { readonly stateType: StateType; readonly rowBytes: number },
): Promise<void> {
  const names = [...texts.keys()];
  const list = [...texts.values()];
  const { stateType, rowBytes } = options;
  await runTrunk(
    {
      trunk: pass.trunk,
      weights: pass.weights,
      texts: list,
      layers: pass.cut,
      outputs: (all) => {
        const last = all.at(-1);
        if (last === undefined) return {};
        return { states: stateType === 'float16' ? packHalf(last) : last };
      },
      take: async ({ states }, indices, time) => {
        if (states === undefined) throw new Error('Internal error: no states.');
        const bytes = new Uint8Array(states.buffer, states.byteOffset, states.byteLength);
        for (const [row, index] of indices.entries()) {
          const start = row * time * rowBytes;
          const length = (list[index]?.ids.length ?? 0) * rowBytes;
          await store.add(names[index] ?? '', bytes.subarray(start, start + length));
        }
      },
    },
    options,
  );
  await store.flush();
}

/** Whether a disk has room for more states. */
async function hasRoom(dir: string, bytes: number): Promise<boolean> {
  const { bavail, bsize } = await statfs(dir);
  return bytes + reserveBytes < bavail * bsize;
}

/**
 * The states of texts before layer `cut`: found where they were computed before, else computed once and stored.
 *
 * Undefined when the disk has no room for them.
 */
export async function openStates(
  trunk: TrunkModel,
  weights: ReadonlyMap<string, NamedTensor>,
  texts: readonly TrunkText[],
  options: StateOptions & { readonly cut: number },
): Promise<TrunkStates | undefined> {
  const { cut, sharedDir, backend, matmul = 'float32', memoryBytes = defaultMemoryBytes } = options;
  const startMs = performance.now();
  const root = sharedDir ?? (await mkdtemp(join(tmpdir(), 'joyul-states-')));
  const stateType = stateTypeFor(trunk.hiddenSize, options.stateType);
  const rowBytes = trunk.hiddenSize * (stateType === 'float16' ? 2 : 4);
  const key = makeTrunkKey({ trunk, weights, cut, kind: 'tokens', stateType, backend, matmul });
  const store = await TrunkStore.open(join(root, 'trunk'), key, options);
  const close = async (): Promise<void> => {
    await store.close();
    if (sharedDir === undefined) await rm(root, { recursive: true, force: true });
  };
  try {
    const names = texts.map((text) => digestText(text.ids));
    const wanted = new Map(names.map((name, index) => [name, texts[index] ?? { ids: new Int32Array() }]));
    await store.verify(names, memoryBytes);
    const missing = new Map([...wanted].filter(([name]) => store.find(name) === undefined));
    const bytes = [...missing.values()].reduce((sum, text) => sum + text.ids.length * rowBytes, 0);
    const foundMs = performance.now();
    if (missing.size > 0) {
      if (!(await hasRoom(root, bytes))) {
        await close();
        return undefined;
      }
      await computeStates(store, missing, { trunk, weights, cut }, { ...options, stateType, rowBytes });
    }
    const computedMs = performance.now();
    const allBytes = await store.verify(names, memoryBytes);
    const places = names.flatMap((name) => store.find(name) ?? []);
    if (places.length < names.length)
      throw new Error('Internal error: states that were written are not there.');
    return new TrunkStates({
      stateType,
      rowBytes,
      places,
      close,
      report: {
        texts: wanted.size,
        reused: wanted.size - missing.size,
        bytes: allBytes,
        isInMemory: allBytes <= memoryBytes,
        computeMs: computedMs - foundMs,
        readMs: foundMs - startMs + (performance.now() - computedMs),
      },
    });
  } catch (error) {
    await close();
    throw error;
  }
}
