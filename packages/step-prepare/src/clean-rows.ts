import type { DropReason, Pace, QualityFinding, QualityPlace, RawRow, RowTable } from '@joyul/data';
import {
  FoundPlaces,
  cleanRowText,
  dropDuplicates,
  groupNear,
  keyOf,
  makeFinding,
  removeRepeatedLines,
} from '@joyul/data';
import { StepFailure } from '@joyul/plugin-api';
import type { PrepareParams } from './params.ts';
import type { ReadRows } from './read-rows.ts';

/** Rows after cleaning, and what was done to get them. */
export interface CleanedRows {
  readonly rows: readonly RawRow[];
  readonly dropped: Readonly<Record<string, number>>;
  readonly findings: readonly QualityFinding[];
  /** Sentences for the report of the run. */
  readonly notes: readonly string[];
}

const placeOf = (row: RawRow, note?: string, field = 'text'): QualityPlace => ({
  file: row.place.file,
  line: row.place.line,
  field,
  ...(note === undefined ? {} : { note }),
});

const at = (row: RawRow): string => `${row.place.file}:${row.place.line}`;
const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`;

const messages: Readonly<Record<DropReason, (count: number) => string>> = {
  empty: (count) => `${plural(count, 'row')} without text, dropped.`,
  'too short': (count) => `${plural(count, 'text')} shorter than clean.min_characters, dropped.`,
  duplicate: (count) => `${plural(count, 'text')} repeated another but for case and punctuation, dropped.`,
};

/** Where cleaning puts what it does not keep, and texts that it changes. */
interface Workplace {
  readonly params: PrepareParams;
  readonly dropped: ReadRows['dropped'];
  /** Made only where texts change once more. */
  readonly makeTable: () => RowTable;
  readonly pace: Pace;
}

/** Texts without lines that stand in many of them, cut to their greatest length. */
function changeTexts(rows: readonly RawRow[], isWithoutLines: boolean, place: Workplace): CleanedRows {
  const { clean } = place.params;
  const same = { rows, dropped: {}, findings: [], notes: [] };
  if (!isWithoutLines && clean.max_characters === undefined) return same;
  const lines = isWithoutLines ? removeRepeatedLines(rows.map((row) => row.text)) : undefined;
  const table = place.makeTable();
  for (const [index, row] of rows.entries()) {
    const cleaned = cleanRowText(lines?.texts[index] ?? row.text, {
      minCharacters: clean.min_characters,
      ...(clean.max_characters === undefined ? {} : { maxCharacters: clean.max_characters }),
    });
    if ('text' in cleaned) table.add(row, { text: cleaned.text });
    else place.dropped[cleaned.reason === 'empty' ? 'empty' : 'short'].add(placeOf(row));
  }
  if (lines === undefined || lines.removed.length === 0) return { ...same, rows: table.rows };
  const { removed, changed } = lines;
  const examples = removed.slice(0, 3).map((item) => `"${item.line}" (${plural(item.texts, 'text')})`);
  const note = `Took ${plural(removed.length, 'repeated line')} out of ${plural(changed, 'text')}, since they tell where a text came from: ${examples.join(', ')}.`;
  return {
    ...same,
    rows: table.rows,
    findings: [makeFinding('REPEATED_LINE', 'info', note, [])],
    notes: [note],
  };
}

/** Handles equal texts with different labels as the params ask. */
function settleConflicts(
  rows: readonly RawRow[],
  conflicts: readonly { readonly first: RawRow; readonly second: RawRow }[],
  rule: PrepareParams['conflicts'],
): CleanedRows {
  const keys = new Set(conflicts.map(({ first }) => keyOf(first.text)));
  if (conflicts.length === 0) return { rows, dropped: {}, findings: [], notes: [] };
  const places = conflicts.map(({ first, second }) =>
    placeOf(second, `is "${second.label ?? ''}" here and "${first.label ?? ''}" at ${at(first)}`, 'label'),
  );
  const what = `${plural(keys.size, 'text')} with more than one label`;
  if (rule === 'fail')
    throw new StepFailure('LABEL_CONFLICT', `${what}.`, {
      problems: places.map(({ note, ...place }) => ({ ...place, message: `The label ${note ?? ''}.` })),
      help: 'Mend the labels, or set conflicts: drop.',
    });
  if (rule === 'keep') {
    const finding = makeFinding('LABEL_CONFLICT', 'warning', `${what}, kept as params ask.`, places);
    return { rows, dropped: {}, findings: [finding], notes: [] };
  }
  const isIn = (row: RawRow): boolean => keys.has(keyOf(row.text));
  // A test row that the source gives stays: taking it out would change what others compare with.
  const kept = rows.filter((row) => !isIn(row) || row.split === 'test');
  const finding = makeFinding(
    'LABEL_CONFLICT',
    'warning',
    `${what}: nobody knows which is right, dropped.`,
    places,
  );
  return {
    rows: kept,
    dropped: { 'in conflict': rows.length - kept.length },
    findings: [finding],
    notes: [finding.message],
  };
}

/** Keeps one of each set of near-duplicates with the same label. */
async function dropNearDuplicates(rows: readonly RawRow[], pace: Pace): Promise<CleanedRows> {
  const sets = await groupNear(rows, pace);
  const first = new Map<string, RawRow>();
  const found = new FoundPlaces();
  const kept = rows.filter((row, index) => {
    const key = `${sets[index] ?? index}\0${row.label ?? ''}`;
    const other = first.get(key);
    if (other === undefined) first.set(key, row);
    else found.add(placeOf(row, `nearly repeats ${at(other)}`));
    return other === undefined;
  });
  if (found.total === 0) return { rows, dropped: {}, findings: [], notes: [] };
  const message = `${plural(found.total, 'text')} nearly repeated another with the same label, dropped.`;
  const findings = [makeFinding('NEAR_DUPLICATE', 'info', message, found)];
  return { rows: kept, dropped: { 'nearly duplicate': found.total }, findings, notes: [] };
}

/** Settles what repeats or contradicts itself among texts that were cleaned as they were read. */
export async function cleanAll(
  rows: readonly RawRow[],
  isEmail: boolean,
  place: Workplace,
): Promise<CleanedRows> {
  const { params, pace } = place;
  const { repeated_lines: rule } = params.clean;
  const lines = changeTexts(rows, rule === 'drop' || (rule === 'auto' && isEmail), place);
  const even = await dropDuplicates(lines.rows, { ...pace, isKept: params.deduplicate === 'off' });
  const settled = settleConflicts(even.rows, even.conflicts, params.conflicts);
  const single: CleanedRows =
    params.deduplicate === 'near'
      ? await dropNearDuplicates(settled.rows, pace)
      : { rows: settled.rows, dropped: {}, findings: [], notes: [] };
  const counts: Record<string, number> = { ...settled.dropped, ...single.dropped };
  const findings: QualityFinding[] = [];
  const { empty, short } = place.dropped;
  for (const [reason, found] of [
    ['empty', empty],
    ['too short', short],
    ['duplicate', even.dropped],
  ] as const) {
    if (found.total === 0) continue;
    counts[reason] = found.total;
    const code = reason.toUpperCase().replace(' ', '_');
    const severity = reason === 'duplicate' ? 'info' : 'warning';
    findings.push(makeFinding(code, severity, messages[reason](found.total), found));
  }
  return {
    rows: single.rows,
    dropped: counts,
    findings: [...findings, ...lines.findings, ...settled.findings, ...single.findings],
    notes: [...lines.notes, ...settled.notes],
  };
}
