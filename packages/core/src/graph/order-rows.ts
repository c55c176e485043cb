import type { RowItem } from './layered-layout.ts';

/** Rounds of ordering; more bring little. */
const rounds = 12;

/** Pairs of edges between two rows that cross, counted with a tree of sums. */
function countCrossings(row: readonly RowItem[], nextLength: number): number {
  const sums = new Int32Array(nextLength + 1);
  const countUpTo = (order: number): number => {
    let count = 0;
    for (let at = order + 1; at > 0; at -= at & -at) count += sums[at] ?? 0;
    return count;
  };
  let [crossings, seen] = [0, 0];
  for (const item of row) {
    const ends = item.below.map((other) => other.order);
    for (const end of ends) crossings += seen - countUpTo(end);
    for (const end of ends) {
      seen++;
      for (let at = end + 1; at <= nextLength; at += at & -at) sums[at] = (sums[at] ?? 0) + 1;
    }
  }
  return crossings;
}

const countAll = (rows: readonly (readonly RowItem[])[]): number =>
  rows.reduce((sum, row, at) => sum + countCrossings(row, rows[at + 1]?.length ?? 0), 0);

const number = (row: readonly RowItem[]): void => {
  for (const [order, item] of row.entries()) item.order = order;
};

/** Sorts a row by the middle of what each item is joined with in the row before. */
function sortRow(row: RowItem[], side: 'above' | 'below'): void {
  const middles = new Map(
    row.map((item) => {
      const others = item[side];
      const sum = others.reduce((total, other) => total + other.order, 0);
      // What is joined with nothing stays where it is.
      return [item, others.length === 0 ? item.order : sum / others.length];
    }),
  );
  row.sort((left, right) => (middles.get(left) ?? 0) - (middles.get(right) ?? 0) || left.order - right.order);
  number(row);
}

/** Orders the items of each row so that few edges cross (barycentres, down and up); the best round is kept. */
export function orderRows(rows: readonly RowItem[][]): void {
  rows.forEach(number);
  let best = rows.map((row) => [...row]);
  let fewest = countAll(rows);
  for (let round = 0; round < rounds && fewest > 0; round++) {
    if (round % 2 === 0) for (const row of rows.slice(1)) sortRow(row, 'above');
    else for (const row of rows.slice(0, -1).reverse()) sortRow(row, 'below');
    const crossings = countAll(rows);
    if (crossings >= fewest) continue;
    fewest = crossings;
    best = rows.map((row) => [...row]);
  }
  for (const [at, row] of rows.entries()) {
    row.splice(0, row.length, ...(best[at] ?? []));
    number(row);
  }
}
