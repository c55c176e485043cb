/** Edits that turn one word into another: insert, delete, replace, swap neighbours (Damerau 1964, optimal string alignment). */
export function editDistance(left: string, right: string): number {
  const width = right.length + 1;
  const table = new Array<number>((left.length + 1) * width).fill(0);
  const at = (row: number, column: number): number => table[row * width + column] ?? 0;
  for (let row = 0; row <= left.length; row++) {
    for (let column = 0; column <= right.length; column++) {
      if (row === 0 || column === 0) {
        table[row * width + column] = row + column;
        continue;
      }
      const cost = left[row - 1] === right[column - 1] ? 0 : 1;
      let best = Math.min(at(row - 1, column) + 1, at(row, column - 1) + 1, at(row - 1, column - 1) + cost);
      const isSwap =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (isSwap) best = Math.min(best, at(row - 2, column - 2) + 1);
      table[row * width + column] = best;
    }
  }
  return at(left.length, right.length);
}

/** The name that was probably meant, or undefined when none is near. */
export function findNearest(word: string, names: Iterable<string>): string | undefined {
  let nearest: string | undefined;
  let smallest = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const name of names) {
    if (Math.abs(name.length - word.length) >= smallest) continue;
    const distance = editDistance(word.toLowerCase(), name.toLowerCase());
    if (distance < smallest) {
      smallest = distance;
      nearest = name;
    }
  }
  return nearest;
}

/** Names in quotes; of very many, the first few. */
export function quoteNames(names: Iterable<string>): string {
  const all = [...names];
  const shown = all.slice(0, 20).map((name) => `"${name}"`);
  return all.length > shown.length
    ? `${shown.join(', ')} and ${all.length - shown.length} more`
    : shown.join(', ');
}
