import {
  describeChange,
  formatContinuedFrom,
  formatDuration,
  leftOutOnPurpose,
  plainMarks,
} from '@joyul/core';
import type { Cause, Why, WordMarks } from '@joyul/core';
import { formatTable } from './format-run.ts';
import { wrapTo } from './style.ts';
import type { Style } from './style.ts';

const verdicts = {
  reuse: 'would be reused',
  run: 'would run',
  unknown: 'may run',
  blocked: 'cannot run',
  disabled: 'is left out',
} as const;

const isInput = (field: string): boolean => field.startsWith('inputs.');

/** How words that differ are marked: with signs, so that they can be told apart without colours, and with colours. */
export const makeMarks = (style: Style): WordMarks => ({
  removed: (text) => style.red(plainMarks.removed(text)),
  added: (text) => style.green(plainMarks.added(text)),
});

/** A time for people, in the local zone: `2026-11-23 10:04`. */
export function formatTime(timeMs: number): string {
  const date = new Date(timeMs);
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** Of a step with more causes than this, the first ones are told. */
const maxCauses = 12;

/** The first items, and a line that counts the others. */
function tellSome<T>(
  items: readonly T[],
  indent: string,
  tell: (item: T) => readonly string[],
): readonly string[] {
  const rest = items.length - maxCauses;
  return [...items.slice(0, maxCauses).flatMap(tell), ...(rest > 0 ? [`${indent}and ${rest} more`] : [])];
}

function formatCause(cause: Cause, marks: WordMarks, style: Style, indent: string): readonly string[] {
  const state = cause.state === 'ran' ? 'ran again' : verdicts[cause.state];
  const ports = cause.ports.length === 0 ? '' : `${cause.ports.join(', ')} ${style.dim('←')} `;
  const head = `${indent}${ports}${style.bold(cause.stepId)} ${state}`;
  if (cause.causes === undefined) return [`${head} ${style.dim('(told above)')}`];
  const own = cause.changes.filter((change) => !isInput(change.field));
  // Without a field of its own, and without a step before it, only its reason explains it.
  const isBare = own.length === 0 && cause.causes.length === 0;
  return [
    isBare ? `${head}: ${cause.reason}` : head,
    ...own.map((change) => `${indent}  ${describeChange(change, marks)}`),
    ...tellSome(cause.causes, `${indent}  `, (before) => formatCause(before, marks, style, `${indent}  `)),
  ];
}

/** How an answer looks. */
export interface WhyFormat {
  readonly marks: WordMarks;
  readonly style: Style;
  /** Columns of the terminal. */
  readonly width: number;
}

/** Why one step would run or be reused. */
export function formatWhy(why: Why, options: WhyFormat): readonly string[] {
  const { marks, style, width } = options;
  const { step, changes, causes, roots, origin, fingerprint } = why;
  // A single change is told below, with its marks.
  const isTold = step.action === 'run' && changes.length === 1 && why.since === 'last success';
  const lines = [`${style.bold(step.stepId)} ${verdicts[step.action]}${isTold ? '' : `: ${step.reason}`}.`];
  if (origin !== undefined)
    lines.push(
      `Run ${style.cyan(origin.runId)} made it on ${formatTime(origin.timeMs)} in ${formatDuration(origin.durationMs)}, because ${origin.reason}.`,
      ...(origin.continuedFrom === undefined
        ? []
        : [`It went on from ${formatContinuedFrom(origin.continuedFrom)}.`]),
    );
  const inputs = changes.filter((change) => isInput(change.field));
  const own = changes.filter((change) => !isInput(change.field));
  const isPast = why.since === 'result before';
  if (own.length > 0)
    lines.push(
      '',
      isPast ? 'What differs from its result before that:' : 'Since it last succeeded:',
      ...own.map((change) => `  ${describeChange(change, marks)}`),
    );
  const before = roots.filter((root) => root.stepId !== step.stepId);
  // What a step directly before it changed is told once, in the chain.
  if (before.some((root) => causes.every((cause) => cause.stepId !== root.stepId)))
    lines.push(
      '',
      own.length > 0 ? 'And in steps before it:' : isPast ? 'It came from:' : 'It comes from:',
      ...tellSome(before, '  ', (root) =>
        root.changes.map((change) => `  ${style.bold(root.stepId)}  ${describeChange(change, marks)}`),
      ),
    );
  if (inputs.length > 0 || causes.length > 0) {
    const explained = new Set(causes.flatMap((cause) => cause.ports));
    const rest = inputs.filter((change) => !explained.has(change.field.slice('inputs.'.length)));
    lines.push(
      '',
      `How that ${isPast ? 'reached' : 'reaches'} ${step.stepId}:`,
      ...tellSome(causes, '  ', (cause) => formatCause(cause, marks, style, '  ')),
      ...rest.map((change) => `  ${describeChange(change, marks)}`),
    );
  }
  if (step.action === 'unknown')
    lines.push('', `If all of that gives the same bytes as before, ${step.stepId} is reused.`);
  const never = [`Left out on purpose: ${leftOutOnPurpose.join('; ')}.`];
  if (why.leftOut.length > 0) never.push(`Here these are: ${why.leftOut.join(', ')}.`);
  lines.push('', ...never.flatMap((text) => wrapTo(text, width)).map((line) => style.dim(line)));
  if (fingerprint !== undefined) lines.push(style.dim(`fingerprint ${fingerprint.slice(0, 16)}`));
  return lines;
}

/** Why each instance of a matrix would run or be reused. */
export function formatGroupWhy(whys: readonly Why[], options: WhyFormat): readonly string[] {
  const { marks, style, width } = options;
  const rows = whys.map(({ step, origin }) => [
    step.stepId,
    verdicts[step.action],
    origin === undefined ? step.reason : `run ${origin.runId} made it`,
  ]);
  // What made a reused one run is history; `why` of the instance tells it.
  const open = whys.filter(({ step }) => step.action !== 'reuse');
  const told = [
    ...new Set(
      open.flatMap(({ roots }) =>
        roots.flatMap(({ stepId, changes }) =>
          changes.map((change) => `  ${style.bold(stepId)}  ${describeChange(change, marks)}`),
        ),
      ),
    ),
  ];
  return [
    ...formatTable(['step', 'verdict', 'reason'], rows, style, width),
    ...(told.length === 0 ? [] : ['', 'It comes from:', ...tellSome(told, '  ', (line) => [line])]),
  ];
}
