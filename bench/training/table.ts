/** The tables that the bench prints and records. */
import { align } from '../shared/align.ts';
import { isDecoding } from './cases.ts';
import { bars } from './judge.ts';
import type { Summary, Verdict } from './judge.ts';

const number = (value: number, digits: number): string =>
  Number.isFinite(value) ? value.toFixed(digits) : '';

const header = ['tool', 'precision', 'tok/s best', 'median', 'tok/CPU s', 'peak MiB', 'start s', 'others', 'n']; // prettier-ignore

function formatSummary(summary: Summary): readonly string[] {
  if (summary.count === 0)
    return [summary.tool, summary.precision, 'failed', ...header.slice(3).map(() => '')];
  return [
    summary.tool,
    summary.precision,
    number(summary.best, 0),
    number(summary.median, 0),
    number(summary.perCpuSecond, 0),
    number(summary.peakMiB, 0),
    number(summary.firstLossS, 1),
    number(summary.otherCores, 2),
    String(summary.count),
  ];
}

const nameOf = (summary: Summary | undefined): string =>
  summary === undefined ? 'nobody' : `${summary.tool} ${summary.precision}`;

/** Everyone's figures in one case. */
export function formatCase(verdict: Verdict): string {
  const { name, summaries, ours, peer, problems } = verdict;
  const failures = summaries.flatMap(({ tool, precision, problem }) =>
    problem === undefined ? [] : [`  ${tool} ${precision} failed: ${problem}`],
  );
  return [
    name,
    align([header, ...summaries.map(formatSummary)]),
    `  ours (${nameOf(ours)}) ÷ the best peer (${nameOf(peer)}): speed ${number(verdict.speed, 2)}, by processor time ${number(verdict.cpuSpeed, 2)}, peak memory ${number(verdict.memory, 2)}; start ${number(verdict.start, 2)}`,
    ...failures,
    ...problems.map((problem) => `  does not count: ${problem}`),
    '',
  ].join('\n');
}

const met = (value: number, isMet: boolean): string =>
  Number.isFinite(value) ? `${value.toFixed(2)} ${isMet ? 'met' : 'missed'}` : 'not measured';

function ratioRow(verdict: Verdict): readonly string[] {
  const { name, speed, cpuSpeed, memory, start } = verdict;
  return [
    name,
    nameOf(verdict.peer),
    met(speed, speed >= (isDecoding(verdict.kind) ? bars.decoding : bars.speed)),
    number(cpuSpeed, 2),
    met(memory, memory <= bars.memory),
    met(start, start <= bars.start),
  ];
}

const ratioHeader = [
  'case',
  'best peer',
  `speed (>= ${bars.speed})`,
  'by CPU time',
  `peak memory (<= ${bars.memory})`,
  `start (<= ${bars.start})`,
];

/** Ours ÷ the best peer, for every case, with the bars. */
export function formatVerdicts(verdicts: readonly Verdict[]): string {
  return `ours ÷ the best peer\n${align([ratioHeader, ...verdicts.map(ratioRow)])}\n`;
}

/** The same as a table in Markdown. */
export function formatMarkdown(verdicts: readonly Verdict[]): string {
  const rows = [ratioHeader, ratioHeader.map(() => '---'), ...verdicts.map(ratioRow)];
  return rows.map((row) => `| ${row.join(' | ')} |`).join('\n');
}
