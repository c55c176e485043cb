import type { CurveEvent, FindingEvent, PassagesEvent, StepEvent, TableEvent } from '@joyul/plugin-api';
import type { RunRecord, StepRecord } from '../runs/run-record.ts';
import { formatContinuedFrom } from '../util/continued-from.ts';
import { formatBytes, formatDuration, formatNumber } from './format-numbers.ts';
import { formatDifferences, formatVerdict } from './format-verification.ts';
import { markPassage } from './mark-passage.ts';

const bars = '▁▂▃▄▅▆▇█';

/** A line of small bars; longer rows of values are averaged down to `width`. */
export function formatSparkline(values: readonly number[], width = 40): string {
  const count = Math.min(width, values.length);
  const means = Array.from({ length: count }, (_, index) => {
    const part = values.slice(
      Math.floor((index * values.length) / count),
      Math.floor(((index + 1) * values.length) / count),
    );
    return part.reduce((sum, value) => sum + value, 0) / Math.max(1, part.length);
  });
  const low = Math.min(...means);
  const range = Math.max(...means) - low;
  return means
    .map((value) => bars[range === 0 ? 0 : Math.round(((value - low) / range) * (bars.length - 1))] ?? '')
    .join('');
}

/** A curve's points, in the order in which they were told. */
export interface Curve {
  readonly name: string;
  readonly points: readonly CurveEvent[];
}

/** The curves among a step's events. */
export function collectCurves(told: readonly StepEvent[]): readonly Curve[] {
  const curves = new Map<string, CurveEvent[]>();
  for (const event of told) {
    if (event.type !== 'curve') continue;
    const points = curves.get(event.name);
    if (points === undefined) curves.set(event.name, [event]);
    else points.push(event);
  }
  return [...curves].map(([name, points]) => ({ name, points }));
}

const isFinding = (event: StepEvent): event is FindingEvent => event.type === 'finding';
const isTable = (event: StepEvent): event is TableEvent => event.type === 'table';
const isPassages = (event: StepEvent): event is PassagesEvent => event.type === 'passages';

const cell = (value: unknown): string =>
  (typeof value === 'number'
    ? formatNumber(value)
    : value === null
      ? ''
      : typeof value === 'string'
        ? value
        : JSON.stringify(value)
  ).replaceAll('|', '\\|');

function renderTable(table: TableEvent): readonly string[] {
  const row = (cells: readonly unknown[]): string => `| ${cells.map(cell).join(' | ')} |`;
  return [
    `**${table.title}**`,
    '',
    row(table.columns),
    row(table.columns.map(() => '---')),
    ...table.rows.map(row),
    '',
  ];
}

/** Each text between fences that are longer than any inside it, so that it is shown as it is. */
function renderPassages({ title, passages }: PassagesEvent): readonly string[] {
  const blocks = passages.map(markPassage).flatMap((text) => {
    const runs = text.match(/`{3,}/g) ?? [];
    const fence = '`'.repeat(Math.max(3, ...runs.map((run) => run.length + 1)));
    return [`${fence}text`, ...text.replace(/\n$/, '').split('\n'), fence, ''];
  });
  return [`**${title}**`, '', ...blocks];
}

function renderSection(step: StepRecord): readonly string[] {
  const how =
    step.end === 'reused'
      ? 'reused'
      : step.end === 'succeeded'
        ? `ran in ${formatDuration(step.durationMs)}`
        : step.end;
  const lines = [`## ${step.stepId} — ${how}`, ''];
  for (const finding of step.told.filter(isFinding)) {
    const mark = finding.weight === 'warning' ? '⚠ ' : '';
    lines.push(finding.weight === 'headline' ? `**${finding.text}**` : `- ${mark}${finding.text}`);
    if (finding.weight === 'headline') lines.push('');
  }
  lines.push('');
  for (const table of step.told.filter(isTable)) lines.push(...renderTable(table));
  for (const event of step.told.filter(isPassages)) lines.push(...renderPassages(event));
  for (const { name, points } of collectCurves(step.told)) {
    const [first, last] = [points[0], points.at(-1)];
    if (first !== undefined && last !== undefined)
      lines.push(
        `\`${formatSparkline(points.map((point) => point.y))}\` ${name}: ${formatNumber(first.y)} → ${formatNumber(last.y)}`,
        '',
      );
  }
  if (step.verified !== undefined) {
    const isSame = step.verified.differing === 0;
    lines.push(`- ${isSame ? '' : '⚠ '}${formatVerdict(step.verified)}`, '');
    if (!isSame) lines.push('```', ...formatDifferences(step.verified), '```', '');
  }
  if (step.failure !== undefined && step.end === 'failed')
    lines.push(`**Failed** (${step.failure.code}): ${step.failure.message}`, '');
  return lines;
}

const tidy = (lines: readonly string[]): string =>
  `${lines
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim()}\n`;

/** One step of a run as Markdown: its section of the report, why it failed, what it gave and what it took. */
export function renderStep(step: StepRecord): string {
  const lines = [...renderSection(step), `- why: ${step.reason}`];
  if (step.continuedFrom !== undefined)
    lines.push(
      `- went on from: ${formatContinuedFrom(step.continuedFrom)} (${step.continuedFrom.fingerprint.slice(0, 16)})`,
    );
  if (step.attempts > 1) lines.push(`- attempts: ${step.attempts}`);
  if (step.cpuMs !== undefined) lines.push(`- processor time: ${formatDuration(step.cpuMs)}`);
  if (step.peakMemoryBytes !== undefined)
    lines.push(`- memory at most: ${formatBytes(step.peakMemoryBytes)}`);
  if (step.fingerprint !== undefined) lines.push(`- fingerprint: ${step.fingerprint}`);
  for (const output of step.outputs)
    lines.push(
      `- output ${output.port}: ${output.type}, ${output.files} file${output.files === 1 ? '' : 's'}, ${formatBytes(output.sizeBytes)}, ${output.digest.slice(0, 16)}`,
    );
  const { failure } = step;
  if (failure !== undefined && failure.logTail.length > 0)
    lines.push('', 'The last lines it wrote:', '', '```', ...failure.logTail, '```');
  if (failure?.help !== undefined) lines.push('', `help: ${failure.help}`);
  return tidy(lines);
}

/** A run's report as Markdown. */
export function renderReport(record: RunRecord): string {
  const reused = record.steps.filter((step) => step.end === 'reused').length;
  const resumed = record.resumes === undefined ? '' : ` It went on with run ${record.resumes}.`;
  const head = [
    `# ${record.pipeline}`,
    '',
    `Run ${record.runId} ${record.end} in ${formatDuration(record.durationMs)}: ${record.steps.length} steps, ${reused} of ${record.steps.length} reused.${resumed} Joyul ${record.joyulVersion}, Node ${record.nodeVersion}, seed ${record.seed}.`,
    '',
  ];
  return tidy([...head, ...record.steps.flatMap(renderSection)]);
}
