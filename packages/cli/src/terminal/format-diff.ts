import { describeChange, formatDuration, formatNumber } from '@joyul/core';
import type { MetricChange, RunComparison, StepComparison, WordMarks } from '@joyul/core';
import { formatTable } from './format-run.ts';
import { formatTime } from './format-why.ts';
import type { Style } from './style.ts';

const states = {
  same: '',
  changed: 'changed',
  unstable: 'gave other content from the same inputs',
  'only before': 'only in the first run',
  'only after': 'only in the second run',
  unknown: '',
} as const;

/** A difference with its sign, and its share of what was there before. */
function formatDifference({ difference, relative, direction }: MetricChange): readonly string[] {
  if (difference === undefined) return ['', ''];
  const arrow = direction === 'up' ? '↑' : '↓';
  const sign = difference > 0 ? '+' : '';
  const share = relative === undefined ? '' : `${sign}${formatNumber(100 * relative)} %`;
  return [`${arrow} ${sign}${formatNumber(difference)}`, share];
}

function describeState({ state, ends }: StepComparison): string {
  if (state !== 'unknown') return states[state];
  return ends.before === ends.after
    ? `${ends.after ?? ''} in both`
    : `${ends.before ?? ''} → ${ends.after ?? ''}`;
}

function describeTimes({ durationMs, ends }: StepComparison): string {
  const describe = (side: 'before' | 'after'): string | undefined => {
    const took = durationMs[side];
    return took === undefined ? ends[side] : formatDuration(took);
  };
  const [before, after] = [describe('before'), describe('after')];
  return before === undefined || after === undefined ? (before ?? after ?? '') : `${before} → ${after}`;
}

/** Of more rows than this, the first ones are shown. */
const maxRows = 40;

const countRest = (rows: number): readonly string[] =>
  rows > maxRows ? [`  and ${rows - maxRows} more; \`--json\` has them all`] : [];

/** Two runs beside each other: what was changed, what came of it, and each step that is not the same. */
export function formatDiff(
  comparison: RunComparison,
  options: { readonly marks: WordMarks; readonly style: Style; readonly width: number },
): readonly string[] {
  const { marks, style, width } = options;
  const { before, after, causes, effects, steps } = comparison;
  const indented = (lines: readonly string[]): readonly string[] => lines.map((line) => `  ${line}`);
  const lines = [before, after].map(
    (run, index) =>
      `${index === 0 ? style.red('-') : style.green('+')} ${style.bold(run.runId)}  ${formatTime(run.startedMs)}  ${run.end} in ${formatDuration(run.durationMs)}`,
  );
  const told = causes.flatMap(({ stepId, changes }) =>
    changes.map((change) => `  ${style.bold(stepId)}  ${describeChange(change, marks)}`),
  );
  if (told.length > 0)
    lines.push('', 'What was changed:', ...told.slice(0, maxRows), ...countRest(told.length));
  const rows = effects.flatMap(({ stepId, metrics }) =>
    metrics.map((metric) => [stepId, metric.name, metric.before, metric.after, ...formatDifference(metric)]),
  );
  if (rows.length > 0)
    lines.push(
      '',
      'What came of it:',
      ...indented(
        formatTable(
          ['step', 'metric', 'before', 'after', 'difference', ''],
          rows.slice(0, maxRows),
          style,
          width - 2,
        ),
      ),
      ...countRest(rows.length),
    );
  const other = steps.filter((step) => step.state !== 'same');
  if (other.length > 0)
    lines.push(
      '',
      'Steps that differ:',
      ...indented(
        formatTable(
          ['step', 'how', 'took'],
          other.slice(0, maxRows).map((step) => [step.stepId, describeState(step), describeTimes(step)]),
          style,
          width - 2,
        ),
      ),
      ...countRest(other.length),
    );
  const same = steps.length - other.length;
  return [...lines, '', style.dim(`${same} of ${steps.length} steps are the same.`)];
}
