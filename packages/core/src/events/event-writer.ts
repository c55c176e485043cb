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
  body.kind === 'attempt-failed' ||
  (body.kind === 'step-ended' && body.end !== 'reused');

/** How much is collected before it is written; what a crash loses of it is progress only. */
const bufferLength = 1 << 16;

const encoder = new TextEncoder();

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
  #isBroken = false;

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
  }

  flush(): void {
    // After a write that failed nobody knows how much of it is there: what follows would be torn.
    if (this.#pending === '' || this.#isBroken) return;
    const { fs, file } = this.#options;
    this.#isBroken = true;
    this.#handle ??= withFolderOf(fs, file, () => fs.open(file, 'a'));
    fs.write(this.#handle, encoder.encode(this.#pending));
    this.#pending = '';
    this.#isBroken = false;
  }

  close(): void {
    try {
      this.flush();
    } finally {
      if (this.#handle !== undefined) this.#options.fs.close(this.#handle);
      this.#handle = undefined;
    }
  }
}
