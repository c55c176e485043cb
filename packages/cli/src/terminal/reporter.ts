import type { Event, RunRecord } from '@joyul/core';
import { LiveReporter } from './live-reporter.ts';
import { isReaderGone, mayBeTerminal, openOutput } from './output.ts';
import { PlainReporter } from './plain-reporter.ts';

/** Shows a run while it happens, and its result. */
export interface Reporter {
  onEvent(event: Event): void;
  /** A line that the user should see now. */
  notify(message: string): void;
  /** The run is over. */
  finish(record: RunRecord): void;
  /** Puts the terminal back as it was. */
  close(): void;
}

/** Events as JSON lines, for programs. */
function makeJsonReporter(): Reporter {
  const output = openOutput(1);
  const errors = openOutput(2);
  return {
    onEvent: (event) => output.write(`${JSON.stringify(event)}\n`),
    notify: (message) => {
      errors.write(`${message}\n`);
    },
    finish: () => undefined,
    close: () => undefined,
  };
}

/** A live display in a terminal; plain lines in CI, pipes and dumb terminals. */
export function makeReporter(options: { readonly isJson: boolean }): Reporter {
  if (options.isJson) return makeJsonReporter();
  if (!mayBeTerminal(2)) return new PlainReporter(openOutput(2));
  // A terminal that is closed asks the run to end by a signal; what can no longer be told must not end it sooner.
  process.stderr.on('error', (error) => {
    if (!isReaderGone(error)) throw error;
  });
  const isLive = process.stderr.isTTY && process.env['CI'] === undefined && process.env['TERM'] !== 'dumb';
  return isLive ? new LiveReporter(process.stderr) : new PlainReporter(process.stderr);
}
