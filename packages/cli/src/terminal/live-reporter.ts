import { formatDuration, formatNumber, formatSparkline } from '@joyul/core';
import type { Event, RunRecord } from '@joyul/core';
import { formatFailure, formatSummary, formatVerification } from './format-run.ts';
import type { Reporter } from './reporter.ts';
import { fitTo, hasColor, makeStyle, padTo, widthOf } from './style.ts';
import type { Style } from './style.ts';

const frameMs = 100;
const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
/** More steps than this are shown as the running ones and a count. */
const maxRows = 14;

interface Row {
  state: 'waiting' | 'running' | 'succeeded' | 'reused' | 'failed' | 'blocked' | 'cancelled' | 'disabled';
  activity: string;
  share: number | undefined;
  detail: string;
  headline: string;
  startedMs: number;
  durationMs: number;
  readonly losses: number[];
}

/** A calm live display: one line a step, redrawn in place. */
export class LiveReporter implements Reporter {
  readonly #stream: NodeJS.WriteStream;
  readonly #style: Style;
  readonly #rows: Map<string, Row>;
  #drawn = 0;
  #frame = 0;
  #timer: NodeJS.Timeout | undefined;
  #title = '';

  constructor(stepIds: readonly string[], stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.#style = makeStyle(hasColor(stream));
    const fresh = (): Row => ({
      state: 'waiting',
      activity: '',
      share: undefined,
      detail: '',
      headline: '',
      startedMs: 0,
      durationMs: 0,
      losses: [],
    });
    this.#rows = new Map(stepIds.map((id) => [id, fresh()]));
  }

  onEvent(event: Event): void {
    if (event.kind === 'run-started') {
      this.#title = event.pipeline;
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
    if (event.kind === 'step-waiting') row.activity = event.reason;
    if (event.kind === 'step-started') {
      row.state = 'running';
      row.startedMs = event.timeMs;
    }
    if (event.kind === 'step-ended') {
      row.state = event.end;
      row.durationMs = event.durationMs;
      const headline = event.kept?.find((kept) => kept.type === 'finding' && kept.weight === 'headline');
      if (headline?.type === 'finding') row.headline = headline.text;
      if (event.end !== 'succeeded' && event.end !== 'reused') row.headline = event.reason;
    }
    if (event.kind !== 'step-event') return;
    const told = event.event;
    if (told.type === 'progress') {
      row.activity = told.activity;
      row.share = told.total === undefined || told.total === 0 ? undefined : told.done / told.total;
      const count = told.total === undefined ? String(told.done) : `${told.done}/${told.total}`;
      row.detail = [told.unit === undefined ? '' : count, told.detail ?? told.unit ?? '']
        .filter((part) => part !== '')
        .join(' ');
    }
    if (told.type === 'curve' && told.name.includes('loss')) row.losses.push(told.y);
    if (told.type === 'finding' && told.weight === 'headline') row.headline = told.text;
    if (told.type === 'log' && told.level !== 'debug') row.detail = told.message;
  }

  notify(message: string): void {
    this.#clear();
    this.#stream.write(`${message}\n`);
    this.#draw();
  }

  finish(record: RunRecord): void {
    this.#stop();
    for (const line of formatSummary(record, this.#style, Math.min(this.#stream.columns, 110)))
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
    this.#drawn = 0;
    this.#stream.write('\x1b[?25h');
  }

  #clear(): void {
    if (this.#drawn > 0) this.#stream.write(`\x1b[${this.#drawn}A\r\x1b[J`);
    this.#drawn = 0;
  }

  #draw(): void {
    this.#frame++;
    const width = Math.max(40, this.#stream.columns);
    const lines = this.#lines(width).map((line) => (widthOf(line) < width ? line : fitTo(line, width - 1)));
    // Each line is cleared after it is written, not before: nothing flickers.
    const up = this.#drawn === 0 ? '' : `\x1b[${this.#drawn}A\r`;
    this.#stream.write(`${up}${lines.map((line) => `${line}\x1b[K\n`).join('')}\x1b[J`);
    this.#drawn = lines.length;
  }

  #lines(width: number): readonly string[] {
    const all = [...this.#rows];
    const shown =
      all.length <= maxRows
        ? all
        : all.filter(([, row]) => row.state === 'running' || row.state === 'failed').slice(0, maxRows);
    const names = Math.max(...all.map(([id]) => widthOf(id)), 4);
    const lines = shown.map(([id, row]) => this.#line(padTo(id, Math.min(names, 24)), row, width));
    const done = all.filter(([, row]) => row.state !== 'waiting' && row.state !== 'running').length;
    const head = `${this.#style.bold(this.#title)} ${this.#style.dim(`${done}/${all.length}`)}`;
    return [head, ...lines];
  }

  #line(name: string, row: Row, width: number): string {
    const { style } = { style: this.#style };
    const rest = width - widthOf(name) - 6;
    switch (row.state) {
      case 'waiting':
        return style.dim(`  ◌ ${name}  ${row.activity}`);
      case 'running':
        return `  ${style.cyan(spinner[this.#frame % spinner.length] ?? '')} ${style.bold(name)}  ${this.#progress(row, rest)}`;
      case 'succeeded':
        return `  ${style.green('✓')} ${name}  ${style.dim(padTo(formatDuration(row.durationMs), 8))} ${fitTo(row.headline, rest - 10)}`;
      case 'reused':
        return `  ${style.green('↺')} ${name}  ${style.dim(padTo('reused', 8))} ${style.dim(fitTo(row.headline, rest - 10))}`;
      case 'failed':
        return `  ${style.red('✗')} ${name}  ${style.red(fitTo(row.headline, rest))}`;
      default:
        return style.dim(`  – ${name}  ${fitTo(`${row.state}: ${row.headline}`, rest)}`);
    }
  }

  #progress(row: Row, width: number): string {
    const { style } = { style: this.#style };
    const elapsed = formatDuration(Date.now() - row.startedMs);
    const barWidth = Math.max(8, Math.min(24, width - 50));
    const filled = Math.round(barWidth * Math.min(1, row.share ?? 0));
    const bar =
      row.share === undefined
        ? ''
        : `${style.cyan('━'.repeat(filled))}${style.dim('─'.repeat(barWidth - filled))} `;
    const loss = row.losses.at(-1);
    const spark =
      row.losses.length < 3 || loss === undefined || width < 90
        ? ''
        : ` ${style.cyan(formatSparkline(row.losses, 16))} ${formatNumber(loss)}`;
    const words = fitTo(
      `${row.activity} ${row.detail}`.trim(),
      Math.max(10, width - barWidth - widthOf(spark) - 12),
    );
    return `${bar}${words}${spark} ${style.dim(elapsed)}`;
  }
}
