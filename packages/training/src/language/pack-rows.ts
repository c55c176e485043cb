import { makeRandom, shuffle } from '@joyul/data';

/**
 * Packs texts into as few rows of `time` tokens as best-fit-decreasing finds (Johnson 1973: at most 11/9 of the fewest,
 * and four more): the longest first, each into the fullest row that still has room.
 *
 * Texts of one length come in an order that follows from the seed.
 *
 * @returns the texts' numbers by row.
 */
export function packRows(
  lengths: readonly number[],
  time: number,
  seed: number,
): readonly (readonly number[])[] {
  const order = shuffle(
    lengths.map((_, index) => index),
    makeRandom(seed),
  ).sort((left, right) => (lengths[right] ?? 0) - (lengths[left] ?? 0));
  const rows: number[][] = [];
  /** Rows by the room that they have left. */
  const open = Array.from({ length: time + 1 }, (): number[][] => []);
  for (const index of order) {
    const length = lengths[index] ?? 0;
    if (length > time) throw new Error(`Internal error: a text of ${length} tokens for rows of ${time}.`);
    let room = length;
    while (room <= time && open[room]?.length === 0) room++;
    let row = open[room]?.pop();
    if (row === undefined) {
      room = time;
      row = [];
      rows.push(row);
    }
    row.push(index);
    open[room - length]?.push(row);
  }
  return rows;
}
