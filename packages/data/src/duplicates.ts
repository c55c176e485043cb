import { duplicateKey } from './clean.ts';
import { FoundPlaces } from './quality/report.ts';
import type { RawRow } from './row.ts';
import { DigestIndex } from './store/digest-index.ts';
import { forEachRow } from './store/for-each-row.ts';
import type { Pace } from './store/for-each-row.ts';

/** Rows without exact duplicates, and what contradicts itself. */
export interface DuplicateResult {
  readonly rows: readonly RawRow[];
  /** The rows that were dropped. */
  readonly dropped: FoundPlaces;
  /** Texts that have two labels: each pair of rows. */
  readonly conflicts: readonly { readonly first: RawRow; readonly second: RawRow }[];
}

/** What makes two texts duplicates; texts of signs only repeat one another only when they are equal. */
export function keyOf(text: string): string {
  return duplicateKey(text) || text;
}

const splitRank = (row: RawRow): number => (row.split === 'test' ? 2 : row.split === 'validation' ? 1 : 0);

/**
 * Keeps one of each set of exact duplicates with the same label: the first, or the one in a split that judges, so that
 * what is left for training repeats nothing that is tested. With `isKept` all are kept, and only conflicts are found.
 */
export async function dropDuplicates(
  rows: readonly RawRow[],
  { isKept = false, ...pace }: Pace & { readonly isKept?: boolean } = {},
): Promise<DuplicateResult> {
  const isDropped = new Uint8Array(rows.length);
  const dropped = new FoundPlaces();
  const conflicts: { first: RawRow; second: RawRow }[] = [];
  const firstOf = new DigestIndex(rows.length);
  // By text and label; texts without labels need no second index.
  const twinOf = rows.some((row) => row.label !== undefined) ? new DigestIndex(rows.length) : firstOf;
  await forEachRow(
    rows,
    (row, index) => {
      const key = keyOf(row.text);
      const first = firstOf.getOrSet(key, index);
      const labelled = twinOf === firstOf ? key : `${key}\0${row.label ?? ''}`;
      const twin = twinOf === firstOf ? first : twinOf.getOrSet(labelled, index);
      const [other, same] = [rows[first ?? -1], rows[twin ?? -1]];
      if (same === undefined || twin === undefined) {
        if (other !== undefined) conflicts.push({ first: other, second: row });
        return;
      }
      if (isKept) return;
      const isBetter = splitRank(row) > splitRank(same);
      const [stays, goes] = isBetter ? [row, same] : [same, row];
      isDropped[isBetter ? twin : index] = 1;
      if (isBetter) twinOf.set(labelled, index);
      dropped.add({ ...goes.place, field: 'text', note: `repeats ${stays.place.file}:${stays.place.line}` });
    },
    pace,
  );
  return { rows: rows.filter((_, index) => isDropped[index] === 0), dropped, conflicts };
}
