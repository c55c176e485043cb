import type { Event, Graph, RunRecord } from '@joyul/core';
import { LiveReporter } from './live-reporter.ts';
import { mayBeTerminal, openOutput } from './output.ts';
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
  return {
    onEvent: (event) => output.write(`${JSON.stringify(event)}\n`),
    notify: (message) => void process.stderr.write(`${message}\n`),
    finish: () => undefined,
    close: () => undefined,
  };
}

/** A live display in a terminal; plain lines in CI, pipes and dumb terminals. */
export function makeReporter(graph: Graph, options: { readonly isJson: boolean }): Reporter {
  if (options.isJson) return makeJsonReporter();
  if (!mayBeTerminal(2)) return new PlainReporter(openOutput(2));
  const isLive = process.stderr.isTTY && process.env['CI'] === undefined && process.env['TERM'] !== 'dumb';
  return isLive
    ? new LiveReporter(
        graph.steps.map((step) => step.id),
        process.stderr,
      )
    : new PlainReporter(process.stderr);
}
