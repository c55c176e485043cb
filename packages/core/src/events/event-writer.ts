import { closeSync, mkdirSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Event, EventBody } from './event.ts';

/** Lines of progress are told to listeners and not written: the file would grow without being of use. */
const isTransient = (body: EventBody): boolean =>
  body.kind === 'step-event' && body.event.type === 'progress';

/** How much is collected before it is written; what a crash loses of it is progress only. */
const bufferBytes = 1 << 16;

/** Appends a run's events to its file, one line each, and tells them to a listener. */
export class EventWriter {
  readonly #file: string;
  readonly #listener: ((event: Event) => void) | undefined;
  #handle: number | undefined;
  #sequence = 0;
  #pending = '';

  constructor(file: string, listener?: (event: Event) => void) {
    this.#file = file;
    this.#listener = listener;
  }

  write(body: EventBody): void {
    const event: Event = { ...body, sequence: this.#sequence++, timeMs: Date.now() };
    this.#listener?.(event);
    if (isTransient(body)) return;
    this.#pending += `${JSON.stringify(event)}\n`;
    // Facts that a reader waits for are on disk at once; a flood of small ones is written in pieces.
    const isImportant =
      body.kind === 'step-started' ||
      body.kind === 'attempt-failed' ||
      (body.kind === 'step-ended' && body.end !== 'reused');
    if (isImportant || this.#pending.length > bufferBytes) this.flush();
  }

  flush(): void {
    if (this.#pending === '') return;
    if (this.#handle === undefined) {
      mkdirSync(dirname(this.#file), { recursive: true });
      this.#handle = openSync(this.#file, 'a');
    }
    writeSync(this.#handle, this.#pending);
    this.#pending = '';
  }

  close(): void {
    this.flush();
    if (this.#handle !== undefined) closeSync(this.#handle);
    this.#handle = undefined;
  }
}
