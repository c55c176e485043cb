import type { RowItem } from './layered-layout.ts';

/** Rounds of placing; the places hardly move after these. */
const rounds = 10;

/** A run of neighbours that stand as close as they may. */
interface Block {
  /** The sum of wanted places, each less what stands before it in the row. */
  sum: number;
  weight: number;
  readonly items: RowItem[];
}

const isPassing = (item: RowItem): boolean => item.node === undefined;

/** Where an item wants to be: in the middle of what it is joined with; a long edge goes straight on. */
function wantedPlace(item: RowItem, sides: readonly ('above' | 'below')[]): number {
  const joined = sides.flatMap((side) => item[side]);
  const passing = isPassing(item) ? joined.filter(isPassing) : [];
  const others = passing.length > 0 ? passing : joined;
  return others.length === 0 ? item.x : others.reduce((sum, other) => sum + other.x, 0) / others.length;
}

/**
 * Places one row: as near as it can be, in the sense of least squares, to where its items want to be, with their order
 * and the least distances kept. That is an isotonic regression, solved by joining neighbours that would come too close
 * (pool adjacent violators).
 */
function placeRow(row: readonly RowItem[], gap: number, wanted: (item: RowItem) => number): void {
  const offsets = new Map<RowItem, number>();
  let offset = 0;
  for (const [at, item] of row.entries()) {
    const before = row[at - 1];
    if (before !== undefined) offset += (before.width + item.width) / 2 + gap;
    offsets.set(item, offset);
  }
  const blocks: Block[] = [];
  for (const item of row) {
    const weight = isPassing(item) ? 6 : 1;
    let block: Block = { sum: weight * (wanted(item) - (offsets.get(item) ?? 0)), weight, items: [item] };
    for (let last = blocks.at(-1); last !== undefined; last = blocks.at(-1)) {
      if (last.sum / last.weight <= block.sum / block.weight) break;
      blocks.pop();
      last.items.push(...block.items);
      block = { sum: last.sum + block.sum, weight: last.weight + block.weight, items: last.items };
    }
    blocks.push(block);
  }
  for (const block of blocks)
    for (const item of block.items) item.x = block.sum / block.weight + (offsets.get(item) ?? 0);
}

/** Gives every item its place from left to right; the leftmost edge is 0. */
export function placeRows(rows: readonly (readonly RowItem[])[], gap: number): void {
  for (const row of rows) placeRow(row, gap, () => 0);
  for (let round = 0; round < rounds; round++) {
    const isDown = round % 2 === 0;
    const sides =
      round >= rounds - 2
        ? (['above', 'below'] as const)
        : isDown
          ? (['above'] as const)
          : (['below'] as const);
    for (const row of isDown ? rows : rows.toReversed())
      placeRow(row, gap, (item) => wantedPlace(item, sides));
  }
  const isJoined = (item: RowItem): boolean => item.above.length > 0 || item.below.length > 0;
  const left = leftOf(rows.flat().filter(isJoined));
  // A row without edges wants to be nowhere: it begins where the others do.
  for (const row of rows) if (!row.some(isJoined)) shift(row, (left === Infinity ? 0 : left) - leftOf(row));
  shift(rows.flat(), -leftOf(rows.flat()));
}

const leftOf = (items: readonly RowItem[]): number =>
  items.reduce((least, item) => Math.min(least, item.x - item.width / 2), Infinity);

function shift(items: readonly RowItem[], by: number): void {
  for (const item of items) item.x += by;
}
