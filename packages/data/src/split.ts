/** Shares of the splits that do not come from the source; the rest is for training. */
export interface SplitShares {
  readonly validation: number;
  readonly test: number;
}

/** What splitting has to know of a row. */
export interface SplitItem {
  /** The class to keep in proportion. */
  readonly label: string;
  /** Items of one group stay together. */
  readonly group: string | number;
}

export type SplitName = 'train' | 'validation' | 'test';

/** Draws numbers in [0, 1) that depend on the seed only: mulberry32. */
export function makeRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** A copy in random order (Fisher and Yates). */
export function shuffle<T>(items: readonly T[], random: () => number): T[] {
  const copy = [...items];
  for (let last = copy.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const [a, b] = [copy[last], copy[other]];
    if (a !== undefined && b !== undefined) {
      copy[last] = b;
      copy[other] = a;
    }
  }
  return copy;
}

/**
 * The split of each item: classes in proportion, groups whole, the same for the same seed.
 *
 * A group counts for the class that most of its items have. Within a class, groups go in random order to
 * the split that lacks most of its share.
 */
export function splitItems(
  items: readonly SplitItem[],
  shares: SplitShares,
  seed: number,
): readonly SplitName[] {
  const groups = new Map<string | number, number | number[]>();
  items.forEach((item, index) => {
    const members = groups.get(item.group);
    // Most groups are one item: a list for each would need more memory than the items.
    if (members === undefined) groups.set(item.group, index);
    else if (typeof members === 'number') groups.set(item.group, [members, index]);
    else members.push(index);
  });
  const byLabel = new Map<string, Group[]>();
  for (const members of groups.values()) {
    const label =
      typeof members === 'number'
        ? (items[members]?.label ?? '')
        : mostFrequent(members.map((index) => items[index]?.label ?? ''));
    const known = byLabel.get(label);
    if (known === undefined) byLabel.set(label, [members]);
    else known.push(members);
  }
  const result = items.map((): SplitName => 'train');
  const random = makeRandom(seed);
  for (const label of [...byLabel.keys()].sort()) {
    assignGroups(shuffle(byLabel.get(label) ?? [], random), shares, result);
  }
  return result;
}

/** The index of a group's only item, or of all its items. */
type Group = number | readonly number[];

const sizeOf = (group: Group): number => (typeof group === 'number' ? 1 : group.length);

function mostFrequent(labels: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  let best = { label: '', count: 0 };
  for (const [label, count] of counts) if (count > best.count) best = { label, count };
  return best.label;
}

function assignGroups(groups: readonly Group[], shares: SplitShares, result: SplitName[]): void {
  const total = groups.reduce<number>((sum, members) => sum + sizeOf(members), 0);
  const wanted: [SplitName, number][] = [
    ['test', Math.round(total * shares.test)],
    ['validation', Math.round(total * shares.validation)],
  ];
  // A class with three groups or more is in every split that has a share.
  for (const item of wanted)
    if (item[1] === 0 && groups.length >= 3 && shares[item[0] === 'test' ? 'test' : 'validation'] > 0)
      item[1] = 1;
  const missing = new Map(wanted);
  for (const members of groups) {
    const [name] = wanted.find(([split]) => (missing.get(split) ?? 0) >= sizeOf(members)) ?? ['train'];
    missing.set(name, (missing.get(name) ?? 0) - sizeOf(members));
    for (const index of typeof members === 'number' ? [members] : members) result[index] = name;
  }
}
