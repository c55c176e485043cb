import type { DropReason, QualityFinding, QualityPlace, RawRow } from '@joyul/data';
import { cleanRows, duplicateKey, groupNearDuplicates, makeFinding, removeRepeatedLines } from '@joyul/data';
import { StepFailure } from '@joyul/plugin-api';
import type { PrepareParams } from './params.ts';

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

/** Without lines that stand in many texts. */
function dropRepeatedLines(rows: readonly RawRow[]): CleanedRows {
  const { texts, removed, changed } = removeRepeatedLines(rows.map((row) => row.text));
  if (removed.length === 0) return { rows, dropped: {}, findings: [], notes: [] };
  const examples = removed.slice(0, 3).map((item) => `"${item.line}" (${plural(item.texts, 'text')})`);
  const note = `Took ${plural(removed.length, 'repeated line')} out of ${plural(changed, 'text')}, since they tell where a text came from: ${examples.join(', ')}.`;
  const finding = makeFinding('REPEATED_LINE', 'info', note, []);
  return {
    rows: rows.map((row, index) => ({ ...row, text: texts[index] ?? row.text })),
    dropped: {},
    findings: [finding],
    notes: [note],
  };
}

/** Handles equal texts with different labels as the params ask. */
function settleConflicts(
  rows: readonly RawRow[],
  conflicts: readonly { readonly first: RawRow; readonly second: RawRow }[],
  rule: PrepareParams['conflicts'],
): CleanedRows {
  const keys = new Set(conflicts.map(({ first }) => duplicateKey(first.text) || first.text));
  const isIn = (row: RawRow): boolean => keys.has(duplicateKey(row.text) || row.text);
  const inConflict = rows.filter(isIn);
  if (inConflict.length === 0) return { rows, dropped: {}, findings: [], notes: [] };
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
function dropNearDuplicates(rows: readonly RawRow[]): CleanedRows {
  const sets = groupNearDuplicates(rows.map((row) => row.text));
  const first = new Map<string, RawRow>();
  const places: QualityPlace[] = [];
  const kept = rows.filter((row, index) => {
    const key = `${sets[index] ?? index}\0${row.label ?? ''}`;
    const other = first.get(key);
    if (other === undefined) first.set(key, row);
    else places.push(placeOf(row, `nearly repeats ${at(other)}`));
    return other === undefined;
  });
  if (places.length === 0) return { rows, dropped: {}, findings: [], notes: [] };
  const message = `${plural(places.length, 'text')} nearly repeated another with the same label, dropped.`;
  const findings = [makeFinding('NEAR_DUPLICATE', 'info', message, places)];
  return { rows: kept, dropped: { 'nearly duplicate': places.length }, findings, notes: [] };
}

/** Cleans texts and settles what repeats or contradicts itself. */
export function cleanAll(rows: readonly RawRow[], params: PrepareParams, isEmail: boolean): CleanedRows {
  const { clean } = params;
  const cleaned = cleanRows(rows, {
    minCharacters: clean.min_characters,
    htmlEntities: clean.html_entities,
    deduplicate: false,
  });
  const isWithoutLines = clean.repeated_lines === 'drop' || (clean.repeated_lines === 'auto' && isEmail);
  const lines = isWithoutLines
    ? dropRepeatedLines(cleaned.rows)
    : { rows: cleaned.rows, dropped: {}, findings: [], notes: [] };
  // Once more, since what was left of two mails without their footers may be the same, or nothing.
  const even = cleanRows(lines.rows, {
    minCharacters: clean.min_characters,
    ...(clean.max_characters === undefined ? {} : { maxCharacters: clean.max_characters }),
    deduplicate: params.deduplicate !== 'off',
  });
  const settled = settleConflicts(even.rows, even.conflicts, params.conflicts);
  const single =
    params.deduplicate === 'near'
      ? dropNearDuplicates(settled.rows)
      : { rows: settled.rows, dropped: {}, findings: [], notes: [] };
  const all = [...cleaned.dropped, ...even.dropped];
  const counts: Record<string, number> = { ...settled.dropped, ...single.dropped };
  const findings: QualityFinding[] = [];
  for (const reason of ['empty', 'too short', 'duplicate'] as const) {
    const found = all.filter((item) => item.reason === reason);
    if (found.length === 0) continue;
    counts[reason] = found.length;
    const places = found.map(({ row, first }) =>
      placeOf(row, first === undefined ? undefined : `repeats ${at(first)}`),
    );
    findings.push(
      makeFinding(
        reason.toUpperCase().replace(' ', '_'),
        reason === 'duplicate' ? 'info' : 'warning',
        messages[reason](found.length),
        places,
      ),
    );
  }
  return {
    rows: single.rows,
    dropped: counts,
    findings: [...findings, ...lines.findings, ...settled.findings, ...single.findings],
    notes: [...lines.notes, ...settled.notes],
  };
}
