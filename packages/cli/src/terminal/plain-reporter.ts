import { formatDuration } from '@joyul/core';
import type { Event, RunRecord } from '@joyul/core';
import { formatFailure, formatSummary, formatVerification } from './format-run.ts';
import type { Output } from './output.ts';
import type { Reporter } from './reporter.ts';
import { hasColor, makeStyle } from './style.ts';
import type { Style } from './style.ts';

/** Progress is told at most this often, in lines of their own. */
const progressEveryMs = 15_000;
/** In a pipeline of more steps than this, those that are reused get no line of their own: the last line counts them. */
const maxReusedLines = 50;

/** One line for each thing that happens. */
export class PlainReporter implements Reporter {
  readonly #stream: Output;
  readonly #style: Style;
  #isLarge = false;
  readonly #lastProgressMs = new Map<string, number>();

  constructor(stream: Output) {
    this.#stream = stream;
    this.#style = makeStyle(hasColor(stream));
  }

  #line(text: string): void {
    this.#stream.write(`${text}\n`);
  }

  onEvent(event: Event): void {
    switch (event.kind) {
      case 'run-started':
        this.#isLarge = event.steps.length > maxReusedLines;
        this.#line(`${this.#style.bold(event.pipeline)}: ${event.steps.length} steps, run ${event.runId}`);
        break;
      case 'step-waiting':
        this.#line(`${event.stepId}: waiting, ${event.reason}`);
        break;
      case 'step-started':
        this.#line(
          `${event.stepId}: started${event.attempt > 1 ? `, attempt ${event.attempt}` : ''}, because ${event.reason}`,
        );
        break;
      case 'step-event':
        this.#onStepEvent(event.stepId, event);
        break;
      case 'step-output':
        this.#line(this.#style.dim(`${event.stepId} | ${event.text}`));
        break;
      case 'attempt-failed':
        if (event.retryInMs !== undefined)
          this.#line(
            `${event.stepId}: attempt ${event.attempt} failed (${event.failure.message}); the next is in ${formatDuration(event.retryInMs)}`,
          );
        else this.#line(formatFailure(event.stepId, event.failure, this.#style));
        break;
      case 'step-ended':
        if (this.#isLarge && event.end === 'reused') break;
        this.#line(
          `${event.stepId}: ${event.end}${event.end === 'succeeded' ? ` in ${formatDuration(event.durationMs)}` : event.end === 'failed' ? '' : `, ${event.reason}`}`,
        );
        break;
      case 'step-verified':
        for (const line of formatVerification(event.stepId, event, this.#style)) this.#line(line);
        break;
      case 'warning':
        this.#line(`warning ${event.code}: ${event.message}`);
        break;
      case 'run-ended':
        break;
    }
  }

  #onStepEvent(stepId: string, { event, timeMs }: Extract<Event, { kind: 'step-event' }>): void {
    if (event.type === 'log' && event.level !== 'debug')
      this.#line(this.#style.dim(`${stepId} | ${event.message}`));
    if (event.type === 'finding' && event.weight !== undefined && event.weight !== 'detail')
      this.#line(`${stepId}: ${event.text}`);
    if (
      event.type !== 'progress' ||
      timeMs - (this.#lastProgressMs.get(stepId) ?? timeMs) < progressEveryMs
    ) {
      if (event.type === 'progress' && !this.#lastProgressMs.has(stepId))
        this.#lastProgressMs.set(stepId, timeMs);
      return;
    }
    this.#lastProgressMs.set(stepId, timeMs);
    const share = event.total === undefined ? String(event.done) : `${event.done} of ${event.total}`;
    const words = [`${event.activity} ${share} ${event.unit ?? ''}`.trimEnd(), event.detail ?? []].flat();
    this.#line(`${stepId}: ${words.join(', ')}`);
  }

  notify(message: string): void {
    this.#line(message);
  }

  finish(record: RunRecord): void {
    for (const line of formatSummary(record, this.#style, 100)) this.#line(line);
  }

  close(): void {
    // Nothing to put back.
  }
}
