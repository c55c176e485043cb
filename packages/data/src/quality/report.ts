import type { RowPlace } from '../row.ts';

/** One kind of thing that was found in a data set, with the rows that have it. */
export interface QualityFinding {
  /** Permanent and in capitals, such as `DUPLICATE`. */
  readonly code: string;
  readonly severity: 'warning' | 'info';
  /** A sentence with the count. */
  readonly message: string;
  /** How many rows in all. */
  readonly total: number;
  /** The first rows that have it, at most a hundred. */
  readonly places: readonly QualityPlace[];
}

/** A row that a finding is about. */
export interface QualityPlace extends RowPlace {
  /** `text`, `label`, or the source's own name of the field. */
  readonly field: string;
  /** What was found there. */
  readonly note?: string;
}

/** Lengths of all texts. */
export interface LengthSummary {
  readonly unit: 'characters' | 'tokens';
  readonly min: number;
  readonly median: number;
  readonly mean: number;
  readonly p95: number;
  readonly max: number;
  readonly histogram: readonly { readonly from: number; readonly to: number; readonly rows: number }[];
}

/** `quality.json`: what was read, what was done to it, and what a person should look at. */
export interface QualityReport {
  readonly version: 1;
  /** As resolved, with versions. */
  readonly sources: readonly string[];
  readonly rows: {
    readonly read: number;
    readonly kept: number;
    /** By reason. */
    readonly dropped: Readonly<Record<string, number>>;
  };
  /** Rows by split. */
  readonly splits: Readonly<Record<string, number>>;
  /** Rows by label and split; empty for a task without labels. */
  readonly classes: readonly { readonly label: string; readonly rows: Readonly<Record<string, number>> }[];
  readonly lengths: LengthSummary;
  readonly leakage: {
    readonly verdict: string;
    /** Sets of rows that were kept on one side because they say nearly the same. */
    readonly nearDuplicateGroups: number;
    /** Sets of rows that were kept on one side because they belong together. */
    readonly namedGroups: number;
    /** Rows that were taken out, or left in, because their twin is in a split that judges. */
    readonly leakedRows: number;
  };
  readonly findings: readonly QualityFinding[];
}

const maxPlaces = 100;

/** Counts rows and keeps the places of the first hundred, however many there are. */
export class FoundPlaces {
  readonly #places: QualityPlace[] = [];
  #total = 0;

  get total(): number {
    return this.#total;
  }

  get places(): readonly QualityPlace[] {
    return this.#places;
  }

  /** Adds a place, which is made only where it is kept. */
  add(place: QualityPlace | (() => QualityPlace)): void {
    if (this.#total < maxPlaces) this.#places.push(typeof place === 'function' ? place() : place);
    this.#total++;
  }
}

/** Makes a finding of the rows that have it. */
export function makeFinding(
  code: string,
  severity: QualityFinding['severity'],
  message: string,
  found: FoundPlaces | readonly QualityPlace[],
): QualityFinding {
  if (found instanceof FoundPlaces)
    return { code, severity, message, total: found.total, places: found.places };
  return { code, severity, message, total: found.length, places: found.slice(0, maxPlaces) };
}

/** Lengths in words that fit a report: quantiles and a histogram of at most ten equal steps. */
export function summarizeLengths(lengths: readonly number[], unit: LengthSummary['unit']): LengthSummary {
  const sorted = [...lengths].sort((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  const sum = sorted.reduce((total, length) => total + length, 0);
  const max = sorted.at(-1) ?? 0;
  // The longest few would squeeze all others into one bar.
  const step = Math.max(1, Math.ceil((at(0.99) + 1) / 9));
  const histogram = Array.from({ length: 10 }, (_, index) => {
    const [from, to] = [
      index * step,
      index === 9 ? Math.max(max, (index + 1) * step - 1) : (index + 1) * step - 1,
    ];
    return { from, to, rows: sorted.filter((length) => length >= from && length <= to).length };
  }).filter((bar) => bar.rows > 0);
  return {
    unit,
    min: sorted[0] ?? 0,
    median: at(0.5),
    mean: sorted.length === 0 ? 0 : Math.round((sum / sorted.length) * 10) / 10,
    p95: at(0.95),
    max,
    histogram,
  };
}

const cell = (text: string): string => text.replace(/\|/g, '\\|').replace(/\s+/g, ' ');

function formatClasses(report: QualityReport): string[] {
  const splits = Object.keys(report.splits);
  if (report.classes.length === 0) return [];
  return [
    '## Classes',
    '',
    `| label | ${splits.join(' | ')} |`,
    `| --- | ${splits.map(() => '---:').join(' | ')} |`,
    ...report.classes.map(
      ({ label, rows }) => `| ${cell(label)} | ${splits.map((split) => rows[split] ?? 0).join(' | ')} |`,
    ),
    '',
  ];
}

function formatLengths({ lengths }: QualityReport): string[] {
  const most = Math.max(...lengths.histogram.map((bar) => bar.rows), 1);
  return [
    `## Lengths in ${lengths.unit}`,
    '',
    `Shortest ${lengths.min}, median ${lengths.median}, mean ${lengths.mean}, 95 % up to ${lengths.p95}, longest ${lengths.max}.`,
    '',
    '```',
    ...lengths.histogram.map(
      (bar) =>
        `${`${bar.from}-${bar.to}`.padStart(14)} ${'█'.repeat(Math.max(1, Math.round((bar.rows / most) * 40)))} ${bar.rows}`,
    ),
    '```',
    '',
  ];
}

const shownPlaces = 10;

function formatFinding(finding: QualityFinding): string[] {
  const places = finding.places
    .slice(0, shownPlaces)
    .map(
      (place) =>
        `- \`${place.file}:${place.line}\` ${place.field}${place.note === undefined ? '' : `: ${cell(place.note)}`}`,
    );
  const rest = finding.total - places.length;
  const more = rest > 0 && places.length > 0 ? [`- and ${rest} more`] : [];
  return [`### ${finding.code} (${finding.severity})`, '', finding.message, '', ...places, ...more, ''];
}

/** `quality.md`: the report for a person. */
export function formatQuality(report: QualityReport): string {
  const dropped = Object.entries(report.rows.dropped).filter(([, count]) => count > 0);
  return [
    '# Data quality',
    '',
    `Read ${report.rows.read} rows of ${report.sources.join(', ')}; kept ${report.rows.kept}.`,
    ...(dropped.length === 0
      ? []
      : [`Dropped: ${dropped.map(([reason, count]) => `${count} ${reason}`).join(', ')}.`]),
    '',
    `Splits: ${Object.entries(report.splits)
      .map(([split, count]) => `${split} ${count}`)
      .join(', ')}.`,
    '',
    `Leakage: ${report.leakage.verdict}`,
    '',
    ...formatClasses(report),
    ...formatLengths(report),
    ...(report.findings.length === 0 ? [] : ['## Findings', '', ...report.findings.flatMap(formatFinding)]),
  ].join('\n');
}
