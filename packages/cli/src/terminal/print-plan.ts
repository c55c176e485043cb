import { formatDuration } from '@joyul/core';
import type { Preview, PreviewedStep } from '@joyul/core';
import type { Style } from './style.ts';
import { fitTo, hasColor, makeStyle, padTo, widthOf } from './style.ts';

/** In a larger plan, steps that would be reused get no line of their own. */
const maxReusedLines = 50;

const words = { reuse: 'reuse', run: 'run', unknown: 'run?', blocked: 'blocked', disabled: 'left out' };

/** True when a run would do more than reuse what there is. */
export const wouldRun = (preview: Preview): boolean =>
  preview.steps.some(({ action }) => action === 'run' || action === 'unknown' || action === 'blocked');

const plural = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

function formatSteps(steps: readonly PreviewedStep[], style: Style, width: number): readonly string[] {
  const colors = {
    reuse: style.green,
    run: style.cyan,
    unknown: style.cyan,
    blocked: style.red,
    disabled: style.dim,
  };
  const timeOf = ({ expectedMs }: PreviewedStep): string =>
    expectedMs === undefined ? '' : `~${formatDuration(expectedMs)}`;
  const idWidth = Math.min(48, Math.max(...steps.map((step) => widthOf(step.stepId))));
  // The column is there only when something is known.
  const timeWidth = Math.max(...steps.map((step) => widthOf(timeOf(step))));
  return steps.map((step) => {
    const time = timeWidth === 0 ? '' : `${' '.repeat(timeWidth - widthOf(timeOf(step)))}${timeOf(step)}  `;
    const left = idWidth + 2 + 8 + 2 + widthOf(time);
    return `${padTo(fitTo(step.stepId, idWidth), idWidth)}  ${colors[step.action](padTo(words[step.action], 8))}  ${time}${style.dim(fitTo(step.reason, Math.max(20, width - left)))}`;
  });
}

function formatTotal({ steps, expectedMs, unknownDurations }: Preview): string {
  const reused = steps.filter((step) => step.action === 'reuse').length;
  const told = [`${reused} of ${plural(steps.length, 'step')} would be reused.`];
  const unknown = unknownDurations.length;
  if (expectedMs !== undefined)
    told.push(
      `The rest takes ${unknown === 0 ? 'about' : 'at least'} ${formatDuration(expectedMs)}${unknown === 0 ? '' : `; ${plural(unknown, 'step')} never ran here`}.`,
    );
  return [...told, 'Nothing was changed.'].join(' ');
}

/** What a run would do, in lines of at most a width. */
export function formatPlan(preview: Preview, style: Style, width: number): readonly string[] {
  const { steps } = preview;
  const restored = steps.flatMap((step) =>
    (step.restores ?? []).map((path) => ({ path, step: step.stepId })),
  );
  const lines: string[] = [];
  if (wouldRun(preview)) {
    const shown = steps.length > maxReusedLines ? steps.filter((step) => step.action !== 'reuse') : steps;
    lines.push(...formatSteps(shown, style, width), '', formatTotal(preview));
  } else {
    const left = steps.filter((step) => step.action === 'disabled').length;
    const reused = steps.length - left;
    lines.push(
      `${style.green('✓')} ${reused === 1 ? 'The only step' : `All ${reused} steps`} would be reused${left === 0 ? '' : `, ${left} left out`}; nothing would run.`,
    );
  }
  for (const { path, step } of restored)
    lines.push(`${style.yellow('↺')} ${path} would be put back as ${style.bold(step)} made it.`);
  return lines;
}

/** Prints what a run would do. */
export function printPlan(preview: Preview, isJson: boolean): void {
  const style = makeStyle(hasColor(process.stdout));
  // A pipe has no width: nothing is cut there.
  const width = process.stdout.columns || Infinity;
  process.stdout.write(
    isJson ? `${JSON.stringify(preview, null, 2)}\n` : `${formatPlan(preview, style, width).join('\n')}\n`,
  );
}
