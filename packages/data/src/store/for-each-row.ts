import { setImmediate } from 'node:timers/promises';
import type { RawRow } from '../row.ts';

/** What long work on rows listens to and tells. */
export interface Pace {
  readonly signal?: AbortSignal;
  /** Told now and then how many rows are done. */
  readonly onProgress?: (done: number) => void;
}

const between = 2000;

/** Visits all rows in their order, with pauses in which the process hears that it is cancelled and tells how far it is. */
export async function forEachRow(
  rows: readonly RawRow[],
  visit: (row: RawRow, index: number) => void,
  { signal, onProgress }: Pace = {},
): Promise<void> {
  for (const [index, row] of rows.entries()) {
    if (index > 0 && index % between === 0) {
      await setImmediate();
      signal?.throwIfAborted();
      onProgress?.(index);
    }
    visit(row, index);
  }
}
