import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Shard, ShardWriter, isShardName } from './shard.ts';

/** A file is closed at the first text beyond this many bytes. */
const defaultShardBytes = 64e6;

/** Where the states of a text are. */
export interface Place {
  readonly shard: Shard;
  readonly offset: number;
  readonly length: number;
}

/** How a store is opened. */
export interface StoreOptions {
  readonly shardBytes?: number;
  readonly onWarning?: (message: string) => void;
}

/** The states of texts under one key: a folder of shards, to which any process may add. */
export class TrunkStore {
  readonly #dir: string;
  readonly #options: StoreOptions;
  readonly #places = new Map<string, Place>();
  readonly #shards: Shard[] = [];
  #writer: ShardWriter | undefined;

  private constructor(dir: string, options: StoreOptions) {
    this.#dir = dir;
    this.#options = options;
  }

  /** Opens the folder of a key inside `root`, and every shard in it. */
  static async open(root: string, key: string, options: StoreOptions = {}): Promise<TrunkStore> {
    const store = new TrunkStore(join(root, key), options);
    await mkdir(store.#dir, { recursive: true });
    for (const name of (await readdir(store.#dir)).sort())
      if (isShardName(name)) await store.#openShard(join(store.#dir, name));
    return store;
  }

  async #openShard(file: string): Promise<void> {
    const shard = await Shard.open(file);
    if (shard === undefined) await this.#dropDamaged(file);
    else this.#take(shard);
  }

  #take(shard: Shard): void {
    this.#shards.push(shard);
    for (const text of shard.texts) {
      const [offset, length] = shard.find(text) ?? [0, 0];
      if (!this.#places.has(text)) this.#places.set(text, { shard, offset, length });
    }
  }

  async #dropDamaged(file: string): Promise<void> {
    this.#options.onWarning?.(`${file} is damaged; the states of its texts are computed again.`);
    await rm(file, { force: true }).catch(() => undefined); // A store that may not be written stays as it is.
  }

  /** Where a text's states are; undefined where they have to be computed. */
  find(text: string): Place | undefined {
    return this.#places.get(text);
  }

  /** Reads every shard that these texts need; texts of damaged ones are not found any more. Gives the bytes of the rest. */
  async verify(texts: Iterable<string>, memoryBytes: number): Promise<number> {
    const needed = new Set([...texts].flatMap((text) => this.#places.get(text)?.shard ?? []));
    const bytes = [...needed].reduce((sum, shard) => sum + shard.stateBytes, 0);
    for (const shard of needed) {
      if (await shard.verify(bytes <= memoryBytes)) continue;
      this.#shards.splice(this.#shards.indexOf(shard), 1);
      for (const [text, place] of this.#places) if (place.shard === shard) this.#places.delete(text);
      await shard.close();
      await this.#dropDamaged(shard.file);
    }
    return bytes;
  }

  /** Adds the states of a text; they are found after {@link flush}. */
  async add(text: string, states: Uint8Array): Promise<void> {
    this.#writer ??= await ShardWriter.create(this.#dir);
    await this.#writer.add(text, states);
    if (this.#writer.sizeBytes >= (this.#options.shardBytes ?? defaultShardBytes)) await this.flush();
  }

  /** Closes the file that is being written, so that its texts are found here and elsewhere. */
  async flush(): Promise<void> {
    const writer = this.#writer;
    if (writer === undefined) return;
    this.#writer = undefined;
    await this.#openShard(await writer.finish());
  }

  /** Closes all files; what was added and not flushed is thrown away. */
  async close(): Promise<void> {
    await this.#writer?.cancel();
    this.#writer = undefined;
    for (const shard of this.#shards.splice(0)) await shard.close();
    this.#places.clear();
  }
}
