import { duplicateKey } from './clean.ts';
import { groupNearDuplicates, UnionFind } from './near-duplicates.ts';
import type { RawRow } from './row.ts';

/** Rows that must stay on one side of a split, and why. */
export interface RowGroups {
  /** By row: the group's number. Rows of one group have the same. */
  readonly groupOf: readonly number[];
  /** Groups with more than one row that near-duplicate texts made. */
  readonly nearDuplicates: number;
  /** Groups with more than one row that a group field or a mail's subject made. */
  readonly named: number;
}

const countShared = (sets: readonly number[]): number => {
  const sizes = new Map<number, number>();
  for (const set of sets) sizes.set(set, (sizes.get(set) ?? 0) + 1);
  return [...sizes.values()].filter((size) => size > 1).length;
};

/**
 * Joins rows that would leak from one split into another: the same text but for case and punctuation, the
 * same group, and with `near` texts whose word triples overlap by 0.8 or more.
 */
export function groupRows(rows: readonly RawRow[], options: { readonly near: boolean }): RowGroups {
  const sets = new UnionFind(rows.length);
  const joinBy = (keyOf: (row: RawRow) => string | undefined): number => {
    const first = new Map<string, number>();
    const keys = rows.map((row, index) => {
      const key = keyOf(row);
      if (key === undefined) return index;
      const other = first.get(key);
      if (other === undefined) first.set(key, index);
      else sets.join(other, index);
      return other ?? index;
    });
    return countShared(keys);
  };
  joinBy((row) => duplicateKey(row.text) || undefined);
  const named = joinBy((row) => row.group);
  let nearDuplicates = 0;
  if (options.near) {
    const near = groupNearDuplicates(rows.map((row) => row.text));
    near.forEach((other, index) => {
      sets.join(other, index);
    });
    nearDuplicates = countShared(near);
  }
  return { groupOf: rows.map((_, index) => sets.find(index)), nearDuplicates, named };
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
  const highest = new Map<number, number>();
  groupOf.forEach((group, index) => {
    const known = highest.get(group);
    const isHigher =
      known === undefined || (rank[splits[index] ?? ''] ?? 0) > (rank[splits[known] ?? ''] ?? 0);
    if (isHigher) highest.set(group, index);
  });
  return groupOf.flatMap((group, row) => {
    const judged = highest.get(group) ?? row;
    return (rank[splits[judged] ?? ''] ?? 0) > (rank[splits[row] ?? ''] ?? 0) ? [{ row, judged }] : [];
  });
}
