import {
  collectCurves,
  formatDifferences,
  formatDuration,
  formatNumber,
  formatSparkline,
  formatVerdict,
} from '@joyul/core';
import type { FailureSummary, RunRecord, StepRecord, StepVerification } from '@joyul/core';
import type { StepEvent } from '@joyul/plugin-api';
import { formatPassage } from './format-passage.ts';
import type { Style } from './style.ts';
import { fitMiddle, fitTo, padTo, widthOf, wrapTo } from './style.ts';

const shownProblems = 10;

/** Why a step failed, where, and what to do. */
export function formatFailure(stepId: string, failure: FailureSummary, style: Style): string {
  const lines = [
    `${style.red('✗')} ${style.bold(stepId)} failed: ${failure.message} ${style.dim(`[${failure.code}]`)}`,
  ];
  for (const problem of failure.problems.slice(0, shownProblems)) {
    const place = [problem.file, problem.line, problem.column].filter((part) => part !== undefined).join(':');
    lines.push(
      `    ${style.cyan(place)}${problem.field === undefined ? '' : ` ${problem.field}`}  ${problem.message}`,
    );
  }
  if (failure.problems.length > shownProblems)
    lines.push(`    and ${failure.problems.length - shownProblems} more`);
  for (const line of failure.logTail) lines.push(style.dim(`    | ${line}`));
  if (failure.help !== undefined) lines.push(`  help: ${failure.help}`);
  return lines.join('\n');
}

/** What running a step once more has shown: the same, or what differs. */
export function formatVerification(
  stepId: string,
  verified: StepVerification,
  style: Style,
): readonly string[] {
  const isSame = verified.differing === 0;
  const mark = isSame ? style.green('=') : style.yellow('≠');
  const head = `${mark} ${style.bold(stepId)} ${formatVerdict(verified)}`;
  return [head, ...formatDifferences(verified).map((line) => `    ${line}`)];
}

/** How the steps that were compared came out. */
function formatVerified(record: RunRecord, style: Style): readonly string[] {
  const verified = record.steps.filter((step) => step.verified !== undefined);
  if (verified.length === 0) return [];
  const different = verified.filter((step) => (step.verified?.differing ?? 0) > 0);
  if (different.length === 0)
    return [
      `  ${verified.length === 1 ? 'The step that was' : `All ${verified.length} steps that were`} run once more gave the same.`,
    ];
  const shown = different.slice(0, maxTimes).map(({ stepId }) => style.bold(stepId));
  const more = different.length - shown.length;
  return [
    `  Of ${verified.length} ${verified.length === 1 ? 'step' : 'steps'} that ran once more, ${different.length} gave other content: ${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}.`,
    `  Their stored results stay. \`joyul show ${record.runId}\` tells what differs.`,
  ];
}

const cellText = (value: unknown): string =>
  typeof value === 'number'
    ? formatNumber(value)
    : typeof value === 'string'
      ? value
      : value === null || value === undefined
        ? ''
        : JSON.stringify(value);

/** Below this a cell says nothing. */
const leastWidth = 8;

/** Widths of columns that fit, with two blanks between them: the widest give way first, down to one width for all of them. */
function fitWidths(widths: readonly number[], width: number): readonly number[] {
  const room = width - 2 * (widths.length - 1);
  const taken = (most: number): number => widths.reduce((sum, own) => sum + Math.min(own, most), 0);
  let most = Math.max(leastWidth, ...widths);
  while (most > leastWidth && taken(most) > room) most--;
  let rest = Math.max(0, room - taken(most));
  return widths.map((own) => {
    // What equal widths leave over goes to the first that are cut.
    const more = own > most && rest > 0 ? 1 : 0;
    rest -= more;
    return Math.min(own, most) + more;
  });
}

/** A table with aligned columns; numbers stand to the right, long cells are cut. */
export function formatTable(
  columns: readonly string[],
  rows: readonly (readonly unknown[])[],
  style: Style,
  width: number,
): readonly string[] {
  const texts = [columns, ...rows.map((row) => columns.map((_, index) => cellText(row[index])))];
  const widths = fitWidths(
    columns.map((_, index) => Math.max(...texts.map((row) => widthOf(row[index] ?? '')))),
    width,
  );
  const isNumber = columns.map(
    (_, index) =>
      rows.length > 0 && rows.every((row) => typeof row[index] === 'number' || row[index] === null),
  );
  return texts.map((row, at) => {
    const cells = row.map((text, index) => {
      const fitted = fitTo(text, widths[index] ?? 0);
      const blanks = ' '.repeat(Math.max(0, (widths[index] ?? 0) - widthOf(fitted)));
      return isNumber[index] === true ? blanks + fitted : fitted + blanks;
    });
    const line = cells.join('  ').trimEnd();
    return at === 0 ? style.dim(line) : line;
  });
}

/** A table, or texts of which parts are set off, below its title; nothing for other events. */
function formatFigure(event: StepEvent, style: Style, width: number): readonly string[] {
  const indent = (lines: readonly string[]): readonly string[] => lines.map((line) => `    ${line}`);
  if (event.type === 'table')
    return ['', `  ${event.title}`, ...indent(formatTable(event.columns, event.rows, style, width - 4)), ''];
  if (event.type !== 'passages') return [];
  const texts = event.passages.flatMap((spans) => {
    const [first = '', ...rest] = formatPassage(spans, style, width - 6);
    return [`  ${style.dim('-')} ${first}`, ...indent(rest)];
  });
  return ['', `  ${event.title}`, ...texts, ''];
}

function formatStep(step: StepRecord, style: Style, width: number): readonly string[] {
  const lines: string[] = [];
  const how = step.end === 'reused' ? 'reused' : formatDuration(step.durationMs);
  const findings = step.told.flatMap((event) => (event.type === 'finding' ? [event] : []));
  const headline = findings.find((finding) => finding.weight === 'headline');
  lines.push(`${style.green('●')} ${style.bold(step.stepId)} ${style.dim(`· ${how}`)}`);
  for (const finding of headline === undefined
    ? findings
    : [headline, ...findings.filter((item) => item !== headline)]) {
    const isHeadline = finding === headline;
    const mark = finding.weight === 'warning' ? style.yellow('! ') : '';
    wrapTo(finding.text, width - 6).forEach((line, index) => {
      const text = finding.weight === 'warning' ? style.yellow(line) : isHeadline ? line : style.dim(line);
      lines.push(
        `  ${isHeadline ? '' : index === 0 ? `${style.dim('-')} ` : '  '}${index === 0 ? mark : ''}${text}`,
      );
    });
  }
  for (const { name, points } of collectCurves(step.told)) {
    const [first, last] = [points[0], points.at(-1)];
    if (first === undefined || last === undefined || points.length < 3) continue;
    lines.push(
      `  ${style.cyan(
        formatSparkline(
          points.map((point) => point.y),
          Math.min(40, width - 40),
        ),
      )} ${name} ${formatNumber(first.y)} → ${formatNumber(last.y)}`,
    );
  }
  for (const event of step.told) {
    const figure = formatFigure(event, style, width);
    // One blank line between two figures.
    lines.push(...(lines.at(-1) === '' ? figure.slice(1) : figure));
  }
  return lines;
}

/** Steps that told nothing, such as commands, have no section of their own. */
const isWorthTelling = (step: StepRecord): boolean => step.told.length > 0;

/** The short report at the end of a run. */
export function formatSummary(record: RunRecord, style: Style, width: number): readonly string[] {
  const done = record.steps.filter((step) => step.end === 'succeeded' || step.end === 'reused');
  const reused = record.steps.filter((step) => step.end === 'reused').length;
  const lines = [''];
  const isAllReused = reused === record.steps.length;
  const isNothingNew = isAllReused && record.steps.every((step) => step.verified === undefined);
  const hasFailed = record.steps.some((step) => step.end === 'failed');
  // All that was told was shown when it was new, and `joyul show` shows it again.
  if (!isAllReused)
    for (const step of done) if (isWorthTelling(step)) lines.push(...formatStep(step, style, width), '');
  const told = `${reused} of ${record.steps.length} reused`;
  if (record.end === 'succeeded')
    lines.push(
      `${style.green('✓')} ${style.bold(record.pipeline)} succeeded in ${formatDuration(record.durationMs)}, ${told}`,
    );
  else if (record.end === 'cancelled')
    lines.push(
      `${style.yellow('■')} ${style.bold(record.pipeline)} was cancelled after ${formatDuration(record.durationMs)}; \`joyul resume\` goes on`,
    );
  else if (record.end === 'checkpointed')
    lines.push(
      `${style.yellow('■')} ${style.bold(record.pipeline)} stopped at a checkpoint after ${formatDuration(record.durationMs)}; \`joyul resume\` goes on from there`,
    );
  else if (!hasFailed)
    lines.push(
      `${style.red('✗')} ${style.bold(record.pipeline)} ran in ${formatDuration(record.durationMs)}, and is not reproducible; ${told}`,
    );
  else {
    lines.push(
      `${style.red('✗')} ${style.bold(record.pipeline)} failed after ${formatDuration(record.durationMs)}, ${told}`,
    );
    lines.push('  Mend it, then `joyul resume`: what succeeded is reused.');
  }
  lines.push(...formatVerified(record, style));
  if (!isNothingNew && record.end === 'succeeded') lines.push('', ...formatTimes(record, style, width));
  lines.push(
    style.dim(
      isNothingNew
        ? '  Nothing had changed; `joyul show` prints the report.'
        : `  report: .joyul/runs/${record.runId}/report.md`,
    ),
  );
  return lines;
}

/** Steps whose time is shown at the end of a run. */
const maxTimes = 20;

/** How long each step took, with a bar. */
function formatTimes(record: RunRecord, style: Style, width: number): readonly string[] {
  const longest = Math.max(...record.steps.map((step) => step.durationMs), 1);
  // Of a large pipeline the slowest steps are worth a line.
  const slowest = new Set(
    record.steps.toSorted((left, right) => right.durationMs - left.durationMs).slice(0, maxTimes),
  );
  const shown = record.steps.filter((step) => slowest.has(step));
  const timeWidth = 12;
  const longestName = Math.max(...shown.map((step) => widthOf(step.stepId)));
  const nameWidth = Math.min(longestName, Math.max(20, width - timeWidth - 16));
  const barWidth = Math.max(10, Math.min(30, width - nameWidth - timeWidth - 6));
  const head =
    record.steps.length > maxTimes ? [style.dim(`  the slowest of ${record.steps.length} steps`)] : [];
  const lines = shown.map((step) => {
    const bar = '━'.repeat(Math.round((barWidth * step.durationMs) / longest));
    const time =
      step.end === 'reused' && step.verified === undefined
        ? style.dim('reused')
        : formatDuration(step.durationMs);
    return `  ${padTo(fitMiddle(step.stepId, nameWidth), nameWidth)}  ${padTo(style.cyan(bar), barWidth)}  ${time}`;
  });
  return [...head, ...lines];
}
