import type { Pace, QualityFinding, RawRow, SplitName } from '@joyul/data';
import {
  FoundPlaces,
  findLeaks,
  findUnlearnableLabels,
  groupRows,
  makeFinding,
  splitItems,
} from '@joyul/data';
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
  const named = new Set(rows.map((row) => row.split));
  const hasTraining = named.has(undefined) || named.has('train');
  return new Set(hasTraining ? [...named].filter((split) => split !== undefined) : []);
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
  const open: number[] = [];
  splits.forEach((split, index) => {
    if (split === 'train') open.push(index);
  });
  const drawn = splitItems(
    open.map((index) => ({
      label: params.split.stratify ? (rows[index]?.label ?? '') : '',
      group: groupOf[index] ?? index,
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
export async function assignSplits(
  rows: readonly RawRow[],
  params: PrepareParams,
  { seed, ...pace }: Pace & { readonly seed: number },
): Promise<AssignedRows> {
  const groups = await groupRows(rows, pace);
  const splits = drawSplits(rows, groups.groupOf, params, seed);
  const leaks = findLeaks(groups.groupOf, splits);
  const found = new FoundPlaces();
  for (const { row, judged } of leaks) {
    const [trained, other] = [rows[row]?.place, rows[judged]?.place];
    const note = `nearly repeats or belongs to ${other?.file ?? ''}:${other?.line ?? 0} in ${splits[judged] ?? ''}`;
    found.add({ file: trained?.file ?? '', line: trained?.line ?? 0, field: 'text', note });
  }
  if (leaks.length > 0 && params.leakage === 'fail')
    throw new StepFailure(
      'LEAKAGE',
      `${plural(leaks.length, 'row')} ${leaks.length === 1 ? 'leaks' : 'leak'} into a split that judges.`,
      {
        problems: found.places.map(({ note = '', ...place }) => ({ ...place, message: `This row ${note}.` })),
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
              found,
            ),
          ],
  };
}
