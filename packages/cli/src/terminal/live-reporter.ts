import { formatDuration } from '@joyul/core';
import type { Event, RunRecord, StepEnd } from '@joyul/core';
import { formatFailure, formatSummary, formatVerification } from './format-run.ts';
import { formatRow, isActive, makeRow, updateRow } from './live-row.ts';
import type { Row } from './live-row.ts';
import type { Reporter } from './reporter.ts';
import { fitMiddle, fitTo, hasColor, makeStyle, padTo, widthOf } from './style.ts';
import type { Style } from './style.ts';

const frameMs = 100;
/** More steps than this are shown as the active ones and a count. */
const maxRows = 14;
/** Of many steps, as many of the active ones are shown. */
const maxActiveRows = 10;

/** A calm live display: one line a step, redrawn in place. */
export class LiveReporter implements Reporter {
  readonly #stream: NodeJS.WriteStream;
  readonly #style: Style;
  readonly #rows = new Map<string, Row>();
  #isLarge = false;
  /** Steps that something is happening to, in the order in which it began. */
  readonly #active = new Set<string>();
  #longestName = 4;
  /** Widths of the lines that are drawn. */
  #drawn: readonly number[] = [];
  #frame = 0;
  #timer: NodeJS.Timeout | undefined;
  #title = '';
  #startedMs = 0;
  /** How many steps ended in which way. */
  readonly #ends = new Map<StepEnd, number>();

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.#style = makeStyle(hasColor(stream));
  }

  /** Some terminals do not say how wide they are. */
  get #columns(): number {
    return this.#stream.columns || 80;
  }

  onEvent(event: Event): void {
    if (event.kind === 'run-started') {
      this.#title = event.pipeline;
      this.#startedMs = event.timeMs;
      for (const { stepId } of event.steps) {
        this.#rows.set(stepId, makeRow());
        this.#longestName = Math.max(this.#longestName, widthOf(stepId));
      }
      this.#isLarge = this.#rows.size > maxRows;
      this.#stream.write('\x1b[?25l'); // No cursor while lines move.
      this.#timer = setInterval(() => {
        this.#draw();
      }, frameMs);
    }
    if (event.kind === 'warning') this.notify(this.#style.yellow(`! ${event.message}`));
    if (event.kind === 'step-verified' && event.differing > 0)
      this.notify(formatVerification(event.stepId, event, this.#style).join('\n'));
    if (event.kind === 'attempt-failed' && event.retryInMs === undefined)
      this.notify(formatFailure(event.stepId, event.failure, this.#style));
    if ('stepId' in event) this.#update(event.stepId, event);
    if (event.kind === 'run-ended') this.#stop();
  }

  #update(stepId: string, event: Event): void {
    const row = this.#rows.get(stepId);
    if (row === undefined) return;
    updateRow(row, event);
    if (isActive(row)) this.#active.add(stepId);
    else this.#active.delete(stepId);
    if (event.kind !== 'step-ended') return;
    this.#ends.set(event.end, this.#count(event.end) + 1);
  }

  notify(message: string): void {
    this.#clear();
    this.#stream.write(`${message}\n`);
    if (this.#timer !== undefined) this.#draw();
  }

  finish(record: RunRecord): void {
    this.#stop();
    for (const line of formatSummary(record, this.#style, Math.min(this.#columns, 110)))
      this.#stream.write(`${line}\n`);
  }

  close(): void {
    this.#stop();
  }

  #stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#draw();
    this.#drawn = [];
    this.#stream.write('\x1b[?25h');
  }

  /** Goes back to the first line that is drawn: in a terminal that was made narrower, a line takes several. */
  #goBack(): string {
    const columns = this.#columns;
    const lines = this.#drawn.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / columns)), 0);
    return lines === 0 ? '' : `\x1b[${lines}A\r`;
  }

  #clear(): void {
    if (this.#drawn.length > 0) this.#stream.write(`${this.#goBack()}\x1b[J`);
    this.#drawn = [];
  }

  #draw(): void {
    this.#frame++;
    const width = Math.max(20, this.#columns);
    const lines = this.#lines(width).map((line) => fitTo(line, width - 1));
    // Each line is cleared after it is written, not before: nothing flickers.
    this.#stream.write(`${this.#goBack()}${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`);
    this.#drawn = lines.map(widthOf);
  }

  #lines(width: number): readonly string[] {
    // What stands above the terminal's first line cannot be drawn again.
    const room = Math.max(1, (this.#stream.rows || 24) - 3);
    const ids = [...(this.#isLarge || this.#rows.size > room ? this.#active : this.#rows.keys())];
    const shown = ids.slice(0, Math.min(room, this.#isLarge ? maxActiveRows : maxRows));
    const nameWidth = Math.min(this.#longestName, Math.max(20, Math.floor(width * 0.4)));
    const nowMs = Date.now();
    const options = { style: this.#style, width: width - 1, frame: this.#frame, nowMs };
    const lines = shown.flatMap((id) => {
      const row = this.#rows.get(id);
      return row === undefined ? [] : [formatRow(padTo(fitMiddle(id, nameWidth), nameWidth), row, options)];
    });
    const hidden = ids.length - shown.length;
    return [
      this.#headline(nowMs),
      ...lines,
      ...(hidden > 0 ? [this.#style.dim(`  and ${hidden} more at work`)] : []),
    ];
  }

  #count(end: StepEnd): number {
    return this.#ends.get(end) ?? 0;
  }

  /** How far the run is, in one line. */
  #headline(nowMs: number): string {
    const done = this.#count('succeeded') + this.#count('reused') + this.#count('disabled');
    const parts = [`${done}/${this.#rows.size}`];
    if (this.#isLarge && this.#active.size > 0) parts.push(`${this.#active.size} at work`);
    for (const end of ['failed', 'blocked', 'cancelled'] as const)
      if (this.#count(end) > 0) parts.push(`${this.#count(end)} ${end}`);
    parts.push(formatDuration(nowMs - this.#startedMs));
    return `${this.#style.bold(this.#title)} ${this.#style.dim(parts.join(' · '))}`;
  }
}
