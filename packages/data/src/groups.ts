import { duplicateKey } from './clean.ts';
import { NearDuplicateFinder, UnionFind } from './near-duplicates.ts';
import type { RawRow } from './row.ts';
import { DigestIndex } from './store/digest-index.ts';
import { forEachRow } from './store/for-each-row.ts';
import type { Pace } from './store/for-each-row.ts';

/** Rows that must stay on one side of a split, and why. */
export interface RowGroups {
  /** By row: the group's number. Rows of one group have the same. */
  readonly groupOf: readonly number[];
  /** Groups with more than one row that near-duplicate texts made. */
  readonly nearDuplicates: number;
  /** Groups with more than one row that a group field or a mail's subject made. */
  readonly named: number;
}

/** Sets with more than one member. */
function countShared(sets: UnionFind, size: number): number {
  const sizes = new Int32Array(size);
  for (let index = 0; index < size; index++) {
    const set = sets.find(index);
    sizes[set] = (sizes[set] ?? 0) + 1;
  }
  return sizes.reduce((count, members) => count + (members > 1 ? 1 : 0), 0);
}

/**
 * Joins rows that would leak from one split into another: the same text but for case and punctuation, the
 * same group, and texts whose word triples overlap by 0.8 or more.
 */
export async function groupRows(rows: readonly RawRow[], pace: Pace = {}): Promise<RowGroups> {
  const finder = new NearDuplicateFinder(rows.length, (index) => rows[index]?.text ?? '');
  const named = new UnionFind(rows.length);
  const equal = new DigestIndex(rows.length);
  const groups = new Map<string, number>();
  const pairs: [number, number][] = [];
  await forEachRow(
    rows,
    (row, index) => {
      const key = duplicateKey(row.text);
      finder.add(index, key);
      const other = key === '' ? undefined : equal.getOrSet(key, index);
      if (other !== undefined) pairs.push([other, index]);
      const { group } = row;
      if (group === undefined) return;
      const first = groups.get(group);
      if (first === undefined) groups.set(group, index);
      else named.join(first, index);
    },
    pace,
  );
  const sets = await finder.find(pace.signal);
  const nearDuplicates = countShared(sets, rows.length);
  const namedGroups = groups.size === 0 ? 0 : countShared(named, rows.length);
  for (const [one, other] of pairs) sets.join(one, other);
  rows.forEach((_, index) => {
    sets.join(named.find(index), index);
  });
  return { groupOf: rows.map((_, index) => sets.find(index)), nearDuplicates, named: namedGroups };
}

/** The set of nearly equal texts that each row belongs to, named by the smallest index in it. */
export async function groupNear(rows: readonly RawRow[], pace: Pace = {}): Promise<readonly number[]> {
  const finder = new NearDuplicateFinder(rows.length, (index) => rows[index]?.text ?? '');
  await forEachRow(
    rows,
    (row, index) => {
      finder.add(index, duplicateKey(row.text));
    },
    pace,
  );
  const sets = await finder.find(pace.signal);
  return rows.map((_, index) => sets.find(index));
}

/** A row that is on the wrong side: another row of its group is in a split that judges it. */
export interface Leak {
  /** Index of the row to take out: the one in training, or in validation where the other is in test. */
  readonly row: number;
  /** Index of the row that is judged. */
  readonly judged: number;
}

const rank: Readonly<Record<string, number>> = { train: 0, validation: 1, test: 2 };

/** Rows whose group reaches into a split that judges them, for splits that the user gave. */
export function findLeaks(groupOf: readonly number[], splits: readonly string[]): readonly Leak[] {
  const rankOf = (index: number): number => rank[splits[index] ?? ''] ?? 0;
  // By group, which is the index of one of its rows: a row in the split that judges most.
  const highest = new Int32Array(groupOf.length).fill(-1);
  groupOf.forEach((group, index) => {
    const known = highest[group] ?? -1;
    if (known === -1 || rankOf(index) > rankOf(known)) highest[group] = index;
  });
  const leaks: Leak[] = [];
  groupOf.forEach((group, row) => {
    const judged = highest[group] ?? row;
    if (rankOf(judged) > rankOf(row)) leaks.push({ row, judged });
  });
  return leaks;
}
