import { formatCanonicalJson } from '../util/canonical-json.ts';

/** What a step takes from each pool while it runs. */
export type Amounts = Readonly<Record<string, number>>;

/** What pools hold; of some, such as graphics cards, each piece has a name. */
export interface Pools {
  readonly capacity: Amounts;
  readonly devices: Readonly<Record<string, readonly string[]>>;
}

/** What a running step holds. */
export interface Grant {
  readonly amounts: Amounts;
  /** Names of the devices that are its own, by pool. */
  readonly devices: Readonly<Record<string, readonly string[]>>;
}

interface Waiting<T> {
  readonly item: T;
  readonly order: number;
}

/** What sums of fractions may be off by, as a share of a pool: 1 - 0.9 - 0.1 is not 0. */
const slackShare = 1e-9;

/**
 * Who may run: steps wait in the order in which they came.
 *
 * A step passes one that waits only when it takes nothing from the pools that the other lacks, so that a busy graphics
 * card holds up nobody else and nobody waits for ever. Steps that want the same wait in one line, and only the heads
 * of the lines are looked at: ten thousand equal steps cost as much as one.
 */
export class Slots<T> {
  readonly #free: Record<string, number>;
  readonly #capacity: Amounts;
  readonly #devices: Readonly<Record<string, string[]>>;
  readonly #lines = new Map<
    string,
    { readonly wanted: Amounts; readonly queue: Waiting<T>[]; head: number }
  >();
  #order = 0;

  constructor({ capacity, devices }: Pools) {
    this.#capacity = capacity;
    this.#free = { ...capacity };
    this.#devices = Object.fromEntries(Object.entries(devices).map(([pool, names]) => [pool, [...names]]));
  }

  /** Puts an item at the end of its line. */
  enqueue(item: T, wanted: Amounts): void {
    const key = formatCanonicalJson(wanted);
    const line = this.#lines.get(key) ?? { wanted, queue: [], head: 0 };
    line.queue.push({ item, order: this.#order++ });
    this.#lines.set(key, line);
  }

  /** Takes all that wait out of their lines. */
  clear(): readonly T[] {
    const all = [...this.#lines.values()].flatMap(({ queue, head }) => queue.slice(head));
    this.#lines.clear();
    return all.sort((left, right) => left.order - right.order).map(({ item }) => item);
  }

  /** The next item that may run, and what it is given; undefined when none may. */
  next(): { readonly item: T; readonly grant: Grant } | undefined {
    const lacked = new Set<string>();
    const heads = [...this.#lines].flatMap(([key, line]) => {
      const first = line.queue[line.head];
      return first === undefined ? [] : [{ key, line, first }];
    });
    heads.sort((left, right) => left.first.order - right.first.order);
    for (const { key, line, first } of heads) {
      const pools = Object.entries(line.wanted);
      const short = pools.filter(([pool, amount]) => this.#isShort(pool, amount));
      const isPassing = pools.some(([pool, amount]) => amount > 0 && lacked.has(pool));
      for (const [pool] of short) lacked.add(pool);
      if (short.length > 0 || isPassing) continue;
      line.head++;
      if (line.head === line.queue.length) this.#lines.delete(key);
      return { item: first.item, grant: this.#take(line.wanted) };
    }
    return undefined;
  }

  /** A step that takes all of a pool would wait for ever for what rounding took away. */
  #isShort(pool: string, amount: number): boolean {
    const slack = (this.#capacity[pool] ?? 0) * slackShare;
    return amount > (this.#free[pool] ?? 0) + slack;
  }

  #take(amounts: Amounts): Grant {
    const devices: Record<string, readonly string[]> = {};
    for (const [pool, amount] of Object.entries(amounts)) {
      this.#free[pool] = (this.#free[pool] ?? 0) - amount;
      const names = this.#devices[pool]?.splice(0, amount);
      if (names !== undefined) devices[pool] = names;
    }
    return { amounts, devices };
  }

  /** Gives back what a step held. */
  release({ amounts, devices }: Grant): void {
    for (const [pool, amount] of Object.entries(amounts)) this.#free[pool] = (this.#free[pool] ?? 0) + amount;
    for (const [pool, names] of Object.entries(devices)) this.#devices[pool]?.push(...names);
  }
}
