/** The tables that the bench prints. */
import { align } from '../shared/align.ts';
import type { Cell, WorkloadResult } from './run-workload.ts';
import { cases } from './tool.ts';
import type { Target } from './targets.ts';

const formatMs = (ms: number): string =>
  ms < 9999.5 ? `${ms.toFixed(ms < 99.95 ? 1 : 0)} ms` : `${(ms / 1000).toFixed(1)} s`;

const header = [
  'case',
  'tool',
  'wall min',
  'median',
  'cpu min',
  'median',
  'peak MiB',
  'n',
  'joyul/it wall',
  'cpu',
];

/** One line: figures of a tool, and how many times as long Joyul takes. */
function formatCell({ tool, kind, summary }: Cell, own: Cell | undefined): readonly string[] {
  if (summary === undefined) return [kind, tool, 'failed', ...new Array<string>(header.length - 3).fill('')];
  const joyul = own?.summary;
  const ratio = (mine: number | undefined, other: number): string =>
    mine === undefined || tool === 'joyul' ? '' : `${(mine / other).toFixed(2)}x`;
  return [
    kind,
    tool,
    formatMs(summary.wallMinMs),
    formatMs(summary.wallMedianMs),
    formatMs(summary.cpuMinMs),
    formatMs(summary.cpuMedianMs),
    summary.peakMiB.toFixed(0),
    String(summary.count),
    ratio(joyul?.wallMinMs, summary.wallMinMs),
    ratio(joyul?.cpuMinMs, summary.cpuMinMs),
  ];
}

/** What was not measured, and why; a tool that failed is told once. */
function formatNotes(cells: readonly Cell[]): readonly string[] {
  const failures = new Set(
    cells.flatMap(({ tool, error }) => (error === undefined ? [] : [`${tool} failed: ${error}`])),
  );
  const skips = new Map<string, string[]>();
  for (const { tool, kind, skipped } of cells) {
    if (skipped === undefined || skipped === 'a floor') continue;
    const kinds = skips.get(`${tool}\t${skipped}`) ?? [];
    skips.set(`${tool}\t${skipped}`, [...kinds, kind]);
  }
  const told = [...skips].map(([key, kinds]) => {
    const [tool = '', reason = ''] = key.split('\t');
    return `not measured: ${tool} ${kinds.length === cases.length ? '' : `${kinds.join(', ')} `}(${reason})`;
  });
  return [...failures, ...told].map((line) => `  ${line}`);
}

/** The table of one workload. */
export function formatWorkload({ name, steps, load, cells }: WorkloadResult): string {
  const rows = cells
    .filter((cell) => cell.summary !== undefined || (cell.error !== undefined && cell.skipped === undefined))
    .map((cell) =>
      formatCell(
        cell,
        cells.find(({ tool, kind }) => tool === 'joyul' && kind === cell.kind),
      ),
    );
  const loads = load.map((value) => value.toFixed(1)).join(' to ');
  return [`${name}: ${steps} steps, load ${loads}`, align([header, ...rows]), ...formatNotes(cells), ''].join(
    '\n',
  );
}

/** The table of targets. */
export function formatTargets(targets: readonly Target[]): string {
  const rows = targets.map(({ name, limit, unit, seen, seenMedian, seenCpu, isMet }) => {
    const format = (value: number | undefined): string =>
      value === undefined ? '' : `${value.toFixed(unit === 'MiB' ? 0 : 2)} ${unit}`;
    const word = isMet === undefined ? 'not measured' : isMet ? 'pass' : 'FAIL';
    return [word, name, `<= ${format(limit)}`, format(seen), format(seenMedian), format(seenCpu)];
  });
  return `targets\n${align([['', 'what', 'limit', 'wall min', 'median', 'cpu min'], ...rows])}\n`;
}
