import type { Event, Graph, RunRecord } from '@joyul/core';
import { LiveReporter } from './live-reporter.ts';
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
const jsonReporter: Reporter = {
  onEvent: (event) => void process.stdout.write(`${JSON.stringify(event)}\n`),
  notify: (message) => void process.stderr.write(`${message}\n`),
  finish: () => undefined,
  close: () => undefined,
};

/** A live display in a terminal; plain lines in CI, pipes and dumb terminals. */
export function makeReporter(graph: Graph, options: { readonly isJson: boolean }): Reporter {
  if (options.isJson) return jsonReporter;
  const isLive = process.stderr.isTTY && process.env['CI'] === undefined && process.env['TERM'] !== 'dumb';
  return isLive
    ? new LiveReporter(
        graph.steps.map((step) => step.id),
        process.stderr,
      )
    : new PlainReporter(process.stderr);
}
