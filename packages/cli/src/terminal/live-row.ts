import { formatDuration, formatNumber, formatSparkline } from '@joyul/core';
import type { Event, StepEnd } from '@joyul/core';
import type { Style } from './style.ts';
import { fitTo, padTo, widthOf } from './style.ts';

const spinner = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

/** What a step of a running pipeline is doing: `held` waits for another run, `delayed` for its next attempt. */
export type RowState = StepEnd | 'waiting' | 'held' | 'running' | 'delayed';

/** One step in a live display. */
export interface Row {
  state: RowState;
  activity: string;
  share: number | undefined;
  detail: string;
  headline: string;
  attempt: number;
  startedMs: number;
  /** When the next attempt begins. */
  dueMs: number;
  durationMs: number;
  readonly losses: number[];
}

/** A step of which nothing is known yet. */
export const makeRow = (): Row => ({
  state: 'waiting',
  activity: '',
  share: undefined,
  detail: '',
  headline: '',
  attempt: 0,
  startedMs: 0,
  dueMs: 0,
  durationMs: 0,
  losses: [],
});

/** True for a step that something is happening to. */
export const isActive = ({ state }: Row): boolean =>
  state === 'running' || state === 'delayed' || state === 'held';

/** Takes in what happened to a step. */
export function updateRow(row: Row, event: Event): void {
  switch (event.kind) {
    case 'step-waiting':
      Object.assign(row, { state: 'held', activity: event.reason });
      break;
    case 'step-started':
      Object.assign(row, { state: 'running', attempt: event.attempt, startedMs: event.timeMs });
      Object.assign(row, { activity: '', detail: '', share: undefined });
      row.losses.length = 0;
      break;
    case 'attempt-failed':
      if (event.retryInMs === undefined) break;
      Object.assign(row, { state: 'delayed', dueMs: event.timeMs + event.retryInMs });
      row.detail = event.failure.message;
      break;
    case 'step-ended': {
      row.state = event.end;
      row.durationMs = event.durationMs;
      const headline = event.kept?.find((kept) => kept.type === 'finding' && kept.weight === 'headline');
      if (headline?.type === 'finding') row.headline = headline.text;
      if (event.end !== 'succeeded' && event.end !== 'reused') row.headline = event.reason;
      break;
    }
    case 'step-event':
      takeTold(row, event.event);
      break;
    default:
      break;
  }
}

function takeTold(row: Row, told: Extract<Event, { kind: 'step-event' }>['event']): void {
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

/** How a line is drawn. */
export interface LineOptions {
  readonly style: Style;
  /** Columns that the line may take. */
  readonly width: number;
  /** Counts pictures, for what moves. */
  readonly frame: number;
  readonly nowMs: number;
}

/** The line of a step, after a name that is as wide as those of the others. */
export function formatRow(name: string, row: Row, options: LineOptions): string {
  const { style, width, frame, nowMs } = options;
  const rest = Math.max(0, width - widthOf(name) - 6);
  const inner = { ...options, width: rest };
  switch (row.state) {
    case 'waiting':
      return style.dim(`  ◌ ${name.trimEnd()}`);
    case 'held':
      return `  ${style.yellow('◌')} ${name}  ${fitTo(`waiting: ${row.activity}`, rest)}`;
    case 'delayed': {
      const left = formatDuration(Math.max(0, row.dueMs - nowMs));
      const words = `attempt ${row.attempt} failed, the next is in ${left}: ${row.detail}`;
      return `  ${style.yellow('↻')} ${name}  ${style.yellow(fitTo(words, rest))}`;
    }
    case 'running':
      return `  ${style.cyan(spinner[frame % spinner.length] ?? '')} ${style.bold(name)}  ${formatProgress(row, inner)}`;
    case 'succeeded':
      return `  ${style.green('✓')} ${name}  ${formatDone(formatDuration(row.durationMs), row, inner)}`;
    case 'reused':
      return `  ${style.green('↺')} ${name}  ${formatDone('reused', row, inner)}`;
    case 'failed':
      return `  ${style.red('✗')} ${name}  ${style.red(fitTo(row.headline, rest))}`;
    case 'cancelled':
      return `  ${style.yellow('■')} ${name}  ${style.dim(fitTo(`cancelled: ${row.headline}`, rest))}`;
    case 'blocked':
    case 'disabled':
      return style.dim(
        `  – ${name}  ${fitTo(`${row.state === 'blocked' ? 'blocked' : 'left out'}: ${row.headline}`, rest)}`,
      );
  }
}

/** What is told of a step that has its result, after how it came by it. */
function formatDone(how: string, { state, headline }: Row, { style, width }: LineOptions): string {
  if (headline === '') return style.dim(how);
  const words = fitTo(headline, width - 9);
  return `${style.dim(padTo(how, 8))} ${state === 'reused' ? style.dim(words) : words}`;
}

function formatProgress(row: Row, { style, width, nowMs }: LineOptions): string {
  const elapsed = formatDuration(nowMs - row.startedMs);
  const barWidth = row.share === undefined ? 0 : Math.max(8, Math.min(24, width - 50));
  const filled = Math.round(barWidth * Math.min(1, row.share ?? 0));
  const bar =
    barWidth === 0 ? '' : `${style.cyan('━'.repeat(filled))}${style.dim('─'.repeat(barWidth - filled))} `;
  const loss = row.losses.at(-1);
  const spark =
    row.losses.length < 3 || loss === undefined || width < 80
      ? ''
      : ` ${style.cyan(formatSparkline(row.losses, 16))} ${formatNumber(loss)}`;
  const attempt = row.attempt > 1 ? `attempt ${row.attempt}: ` : '';
  const words = `${attempt}${`${row.activity} ${row.detail}`.trim()}`.trim();
  const left = width - widthOf(bar) - widthOf(spark) - widthOf(elapsed) - 1;
  const fitted = fitTo(words, Math.max(8, left));
  return `${bar}${fitted}${spark}${fitted === '' && spark === '' ? '' : ' '}${style.dim(elapsed)}`;
}
