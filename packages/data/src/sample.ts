import { makeRandom, shuffle } from './split.ts';

/** How many items to keep; absent means all. */
export interface Limit {
  /** Of each class. */
  readonly perClass?: number;
  /** In all, with classes in proportion. */
  readonly total?: number;
}

/** Shares `total` out in proportion to the sizes, by largest remainder; nothing gets more than it has. */
export function apportion(sizes: readonly number[], total: number): readonly number[] {
  const sum = sizes.reduce((all, size) => all + size, 0);
  if (sum <= total) return sizes;
  const exact = sizes.map((size) => (size * total) / sum);
  const counts = exact.map(Math.floor);
  const order = exact
    .map((value, index) => ({ index, rest: value - Math.floor(value) }))
    .sort((a, b) => b.rest - a.rest || a.index - b.index);
  let missing = total - counts.reduce((all, count) => all + count, 0);
  for (const { index } of order) {
    if (missing === 0) break;
    counts[index] = (counts[index] ?? 0) + 1;
    missing--;
  }
  return counts;
}

/** Indices of the items to keep, in their order; `strata` names each item's class. The same for the same seed. */
export function sampleIndices(strata: readonly string[], limit: Limit, seed: number): readonly number[] {
  const members = new Map<string, number[]>();
  strata.forEach((stratum, index) => {
    const found = members.get(stratum);
    if (found === undefined) members.set(stratum, [index]);
    else found.push(index);
  });
  const names = [...members.keys()].sort();
  const sizes = names.map((name) => Math.min(members.get(name)?.length ?? 0, limit.perClass ?? Infinity));
  const counts = limit.total === undefined ? sizes : apportion(sizes, limit.total);
  const random = makeRandom(seed);
  return names
    .flatMap((name, at) => shuffle(members.get(name) ?? [], random).slice(0, counts[at] ?? 0))
    .sort((a, b) => a - b);
}
