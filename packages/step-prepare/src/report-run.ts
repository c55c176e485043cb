import type { QualityReport } from '@joyul/data';
import type { Context } from './references.ts';

const maxClasses = 30;

/** What is told besides the quality report. */
interface Told {
  /** What each source was taken for. */
  readonly verdicts: readonly string[];
  readonly notes: readonly string[];
}

/** Tells the run's report what was prepared. */
export function reportRun({ emit }: Context, report: QualityReport, { verdicts, notes }: Told): void {
  const { rows, splits, classes, leakage, lengths } = report;
  const sizes = Object.entries(splits)
    .map(([split, count]) => `${count} ${split}`)
    .join(', ');
  emit({
    type: 'finding',
    weight: 'headline',
    text: `${rows.kept} of ${rows.read} rows kept${classes.length === 0 ? '' : ` in ${classes.length} classes`}: ${sizes}.`,
  });
  emit({ type: 'finding', text: `Read ${report.sources.join(', ')}.` });
  for (const text of verdicts) emit({ type: 'finding', text });
  const dropped = Object.entries(rows.dropped).filter(([, count]) => count > 0);
  if (dropped.length > 0)
    emit({
      type: 'finding',
      text: `Dropped ${dropped.map(([reason, count]) => `${count} ${reason}`).join(', ')}.`,
    });
  emit({ type: 'finding', text: `Leakage: ${leakage.verdict}` });
  for (const text of notes) emit({ type: 'finding', text });
  emit({
    type: 'finding',
    text: `Lengths in ${lengths.unit}: median ${lengths.median}, 95 % up to ${lengths.p95}, longest ${lengths.max}.`,
  });
  for (const finding of report.findings) {
    if (finding.severity !== 'warning') continue;
    const [first] = finding.places;
    const where = first === undefined ? '' : ` First: ${first.file}:${first.line}.`;
    emit({ type: 'finding', weight: 'warning', text: `${finding.message}${where}` });
  }
  if ((splits['test'] ?? 0) === 0)
    emit({
      type: 'finding',
      weight: 'warning',
      text: 'There is no test split: nothing will judge the model.',
    });
  if (classes.length > 0) {
    const names = Object.keys(classes[0]?.rows ?? {});
    emit({
      type: 'table',
      title:
        classes.length > maxClasses ? `Classes (the first ${maxClasses} of ${classes.length})` : 'Classes',
      columns: ['label', ...names],
      rows: classes
        .slice(0, maxClasses)
        .map((item) => [item.label, ...names.map((name) => item.rows[name] ?? 0)]),
    });
  }
}
