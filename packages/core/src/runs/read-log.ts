/** What the steps of a run wrote: their output and their messages. */
import type { Event } from '../events/event.ts';
import { readRange } from './read-range.ts';
import { parseEvent } from './run-files.ts';
import { findOpenEnd } from './run-record.ts';

/** One line that a step wrote. */
export interface LogLine {
  readonly timeMs: number;
  readonly stepId: string;
  readonly attempt: number;
  /** Where it was written, or the level of a message. */
  readonly source: 'stdout' | 'stderr' | 'debug' | 'info' | 'warning' | 'error';
  readonly text: string;
}

/** Turns the events of one run, in order, into lines. */
export class LogReader {
  readonly #attempts = new Map<string, number>();

  /** The line that an event is, or undefined. */
  read(event: Event): LogLine | undefined {
    switch (event.kind) {
      case 'step-started':
        this.#attempts.set(event.stepId, event.attempt);
        return undefined;
      case 'step-output':
        return this.#line(event.stepId, event.timeMs, event.stream, event.text);
      case 'step-event':
        return event.event.type === 'log'
          ? this.#line(event.stepId, event.timeMs, event.event.level, event.event.message)
          : undefined;
      default:
        return undefined;
    }
  }

  #line(stepId: string, timeMs: number, source: LogLine['source'], text: string): LogLine {
    return { timeMs, stepId, attempt: this.#attempts.get(stepId) ?? 1, source, text };
  }
}

/** Reads an event file that is still being written, piece by piece. */
export class EventFollower {
  readonly #file: string;
  #offset = 0;
  #rest = Buffer.alloc(0);
  #start: Extract<Event, { kind: 'run-started' }> | undefined;
  #hasEnded = false;

  constructor(file: string) {
    this.#file = file;
  }

  /** The events that were added since the last call. */
  read(): readonly Event[] {
    const added = readRange(this.#file, this.#offset);
    this.#offset += added.length;
    const whole = Buffer.concat([this.#rest, added]);
    const end = whole.lastIndexOf(0x0a) + 1;
    // A line is whole once its end is there; what comes after it waits, as bytes, since a character may be cut.
    this.#rest = whole.subarray(end);
    const events = whole
      .toString('utf8', 0, end)
      .split('\n')
      .flatMap((line) => (line === '' ? [] : (parseEvent(line) ?? [])));
    for (const event of events) {
      if (event.kind === 'run-started') this.#start = event;
      if (event.kind === 'run-ended') this.#hasEnded = true;
    }
    return events;
  }

  /** True while more may come: the run has not ended, and its process lives. */
  isOpen(): boolean {
    return !this.#hasEnded && (this.#start === undefined || findOpenEnd(this.#start) === 'running');
  }
}
