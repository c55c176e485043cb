import type { QualityFinding, RawRow, SplitName } from '@joyul/data';
import { findLeaks, findUnlearnableLabels, groupRows, makeFinding, splitItems } from '@joyul/data';
import { StepFailure } from '@joyul/plugin-api';
import type { PrepareParams } from './params.ts';

/** Rows with the split of each. */
export interface AssignedRows {
  readonly rows: readonly RawRow[];
  /** By row. */
  readonly splits: readonly SplitName[];
  readonly leakage: {
    readonly verdict: string;
    readonly nearDuplicateGroups: number;
    readonly namedGroups: number;
    readonly leakedRows: number;
  };
  readonly dropped: Readonly<Record<string, number>>;
  readonly findings: readonly QualityFinding[];
}

const plural = (count: number, one: string): string => `${count} ${one}${count === 1 ? '' : 's'}`;

/** The splits that the source names; a source with judged rows only is not split by its names. */
function givenSplits(rows: readonly RawRow[]): ReadonlySet<string> {
  const named = new Set(rows.flatMap((row) => (row.split === undefined ? [] : [row.split])));
  const hasTraining = rows.some((row) => row.split === undefined || row.split === 'train');
  return hasTraining ? named : new Set();
}

/** Gives each row a split: the source's own where it has one, the missing ones drawn from training. */
function drawSplits(
  rows: readonly RawRow[],
  groupOf: readonly number[],
  params: PrepareParams,
  seed: number,
): readonly SplitName[] {
  const given = givenSplits(rows);
  const splits = rows.map((row): SplitName => (given.size === 0 ? 'train' : (row.split ?? 'train')));
  const shares = {
    validation: given.has('validation') ? 0 : params.split.validation,
    test: given.has('test') ? 0 : params.split.test,
  };
  const open = splits.flatMap((split, index) => (split === 'train' ? [index] : []));
  const drawn = splitItems(
    open.map((index) => ({
      label: params.split.stratify ? (rows[index]?.label ?? '') : '',
      group: String(groupOf[index] ?? index),
    })),
    shares,
    seed,
  );
  open.forEach((index, at) => {
    splits[index] = drawn[at] ?? 'train';
  });
  return splits;
}

/** Fails where a split holds a label that training lacks. */
function checkLabels(rows: readonly RawRow[], splits: readonly SplitName[]): void {
  const gaps = findUnlearnableLabels(rows, splits);
  if (gaps.length === 0) return;
  const problems = gaps.flatMap((gap) =>
    gap.rows.map((row) => ({
      file: row.place.file,
      line: row.place.line,
      field: 'label',
      message: `The label "${gap.label}" is in ${gap.inSplit} and not in training.`,
    })),
  );
  throw new StepFailure(
    'LABEL_NOT_TRAINED',
    `${plural(gaps.length, 'label')} cannot be learned: no training row has ${gaps.length === 1 ? 'it' : 'them'}.`,
    {
      problems,
      help: 'Add training rows with these labels, or take the rows out.',
    },
  );
}

/** Splits rows so that nothing which is judged was trained on. */
export function assignSplits(rows: readonly RawRow[], params: PrepareParams, seed: number): AssignedRows {
  const groups = groupRows(rows, { near: true });
  const splits = drawSplits(rows, groups.groupOf, params, seed);
  const leaks = findLeaks(groups.groupOf, splits);
  const places = leaks.map(({ row, judged }) => {
    const [trained, other] = [rows[row], rows[judged]];
    const note = `nearly repeats or belongs to ${other?.place.file ?? ''}:${other?.place.line ?? 0} in ${splits[judged] ?? ''}`;
    return { file: trained?.place.file ?? '', line: trained?.place.line ?? 0, field: 'text', note };
  });
  if (leaks.length > 0 && params.leakage === 'fail')
    throw new StepFailure(
      'LEAKAGE',
      `${plural(leaks.length, 'row')} ${leaks.length === 1 ? 'leaks' : 'leak'} into a split that judges.`,
      {
        problems: places.map(({ note, ...place }) => ({ ...place, message: `This row ${note}.` })),
        help: 'Take the rows out, or set leakage: drop.',
      },
    );
  const isDropped = new Set(params.leakage === 'drop' ? leaks.map((leak) => leak.row) : []);
  const kept = rows.filter((_, index) => !isDropped.has(index));
  const keptSplits = splits.filter((_, index) => !isDropped.has(index));
  checkLabels(kept, keptSplits);
  const leaked = leaks.length;
  const verdict =
    leaked === 0
      ? `none: ${plural(groups.nearDuplicates, 'set')} of near-duplicates and ${plural(groups.named, 'named group')} lie whole on one side.`
      : isDropped.size > 0
        ? `${plural(leaked, 'row')} of the source's own splits (nearly) repeated a judged row and ${leaked === 1 ? 'was' : 'were'} dropped; none is left.`
        : `${plural(leaked, 'row')} of the source's own splits (nearly) ${leaked === 1 ? 'repeats' : 'repeat'} a judged row and ${leaked === 1 ? 'was' : 'were'} kept, as params ask: the scores will be too good.`;
  return {
    rows: kept,
    splits: keptSplits,
    leakage: {
      verdict,
      nearDuplicateGroups: groups.nearDuplicates,
      namedGroups: groups.named,
      leakedRows: leaked,
    },
    dropped: isDropped.size > 0 ? { leaking: isDropped.size } : {},
    findings:
      leaked === 0
        ? []
        : [
            makeFinding(
              'LEAKAGE',
              isDropped.size > 0 ? 'info' : 'warning',
              verdict[0]?.toUpperCase() + verdict.slice(1),
              places,
            ),
          ],
  };
}
