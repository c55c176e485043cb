import type { FileSystem } from '../util/file-system.ts';
import { withFolderOf } from '../util/files.ts';
import type { Clock } from '../util/platform.ts';
import type { Event, EventBody } from './event.ts';

/** Lines of progress are told to listeners and not written: the file would grow without being of use. */
const isTransient = (body: EventBody): boolean =>
  body.kind === 'step-event' && body.event.type === 'progress';

/** Facts that a reader waits for are on disk at once; a flood of small ones is written in pieces. */
const isImportant = (body: EventBody): boolean =>
  body.kind === 'step-started' ||
  body.kind === 'step-waiting' ||
  body.kind === 'attempt-failed' ||
  (body.kind === 'step-ended' && body.end !== 'reused');

/** How much is collected before it is written; what a crash loses of it is progress only. */
const bufferLength = 1 << 16;

/** How long a line of a step's output may stay in memory. */
const lagMs = 200;

/** Where a run's events go. */
export interface EventWriterOptions {
  readonly file: string;
  readonly fs: FileSystem;
  readonly clock: Clock;
  readonly listener?: (event: Event) => void;
}

/** Appends a run's events to its file, one line each, and tells them to a listener. */
export class EventWriter {
  readonly #options: EventWriterOptions;
  #handle: number | undefined;
  #sequence = 0;
  #pending = '';
  #failure: unknown;
  #isWaiting = false;
  readonly #closed = new AbortController();

  constructor(options: EventWriterOptions) {
    this.#options = options;
  }

  write(body: EventBody): void {
    const { clock, listener } = this.#options;
    const event: Event = { ...body, sequence: this.#sequence++, timeMs: clock.now() };
    listener?.(event);
    if (isTransient(body)) return;
    this.#pending += `${JSON.stringify(event)}\n`;
    if (isImportant(body) || this.#pending.length > bufferLength) this.flush();
    else if (body.kind === 'step-event' || body.kind === 'step-output') void this.#flushSoon();
  }

  /** Whoever follows a run sees a line soon, and a thousand lines are written together. */
  async #flushSoon(): Promise<void> {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    await this.#options.clock.sleep(lagMs, this.#closed.signal);
    this.#isWaiting = false;
    try {
      this.flush();
    } catch {
      // The next event that matters tells of it.
    }
  }

  flush(): void {
    // After a write that failed nobody knows how much of it is there: what follows would be torn.
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#pending === '') return;
    const { fs, file } = this.#options;
    try {
      this.#handle ??= withFolderOf(fs, file, () => fs.open(file, 'a'));
      fs.write(this.#handle, Buffer.from(this.#pending));
      this.#pending = '';
    } catch (error) {
      this.#failure = error;
      throw error;
    }
  }

  /** Writes what is left. */
  close(): void {
    this.#closed.abort();
    try {
      // A failure has been told already.
      if (this.#failure === undefined) this.flush();
    } finally {
      if (this.#handle !== undefined) this.#options.fs.close(this.#handle);
      this.#handle = undefined;
    }
  }
}
