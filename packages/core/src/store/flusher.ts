import type PQueue from 'p-queue';
import type { FileSystem } from '../util/file-system.ts';
import { codeOf } from '../util/files.ts';

/** Files flushed at once: the disk writes several together, and each takes a thread while it waits. */
const concurrency = 4;

/** Flushes published files in the background, so that no step waits for the disk. */
export class Flusher {
  readonly #fs: FileSystem;
  readonly #early: (() => Promise<void>)[] = [];
  #queue: PQueue | undefined;
  #loading: Promise<void> | undefined;
  #failure: unknown;

  constructor(fs: FileSystem) {
    this.#fs = fs;
  }

  /** Flushes a file soon. */
  add(file: string): void {
    const task = async (): Promise<void> => {
      try {
        await this.#fs.flush(file);
      } catch (error) {
        // What was removed meanwhile needs no flush.
        if (codeOf(error) !== 'ENOENT') this.#failure ??= error;
      }
    };
    if (this.#queue !== undefined) {
      void this.#queue.add(task);
      return;
    }
    this.#early.push(task);
    // A run that stores nothing does not load the queue.
    this.#loading ??= this.#load();
  }

  async #load(): Promise<void> {
    const { default: Queue } = await import('p-queue');
    this.#queue = new Queue({ concurrency });
    for (const task of this.#early.splice(0)) void this.#queue.add(task);
  }

  /** Waits for all flushes; the first one that failed is thrown. */
  async end(): Promise<void> {
    await this.#loading;
    await this.#queue?.onIdle();
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
  }
}
