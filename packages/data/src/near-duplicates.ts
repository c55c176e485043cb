import { setImmediate } from 'node:timers/promises';
import { duplicateKey } from './clean.ts';

const hashes = 128;
const bands = 32; // 4 rows a band: a pair of similarity 0.8 shares a band with probability 0.9999999.
const maxCandidates = 8; // In one bucket: boilerplate must not make the search quadratic.
const shingleWords = 3;
const threshold = 0.8;
const keptShingles = 512;
const keptPairs = 1 << 20;

const prime = 0x01000193;
const offset = 0x811c9dc5;

/** A hash of each word triple of a text (FNV-1a over its words), without repeats; one of all words where they are few. */
function shinglesOf(key: string): readonly number[] {
  const words: number[] = [];
  let hash = offset;
  for (let at = 0; at <= key.length; at++) {
    const code = at === key.length ? 32 : key.charCodeAt(at);
    if (code === 32) {
      words.push(hash);
      hash = offset;
    } else hash = Math.imul(hash ^ code, prime);
  }
  const join = (from: number, to: number): number => {
    let joined = offset;
    for (let at = from; at < to; at++) {
      const word = words[at] ?? 0;
      joined = Math.imul(joined ^ (word & 0xffff), prime);
      joined = Math.imul(joined ^ (word >>> 16), prime);
    }
    return joined >>> 0;
  };
  if (words.length <= shingleWords) return [join(0, words.length)];
  const found = new Set<number>();
  for (let at = 0; at + shingleWords <= words.length; at++) found.add(join(at, at + shingleWords));
  return [...found];
}

const seeds = Int32Array.from({ length: hashes }, (_, index) => Math.imul(index + 1, 0x9e3779b1));

/** The smallest value of each of 128 hash functions over a text's shingles (Broder 1997). */
function signatureOf(shingles: readonly number[], signature: Uint32Array): void {
  signature.fill(0xffffffff);
  for (const shingle of shingles) {
    for (let index = 0; index < hashes; index++) {
      // Multiplying by odd numbers and shifting gives each index a hash function of its own.
      let value = Math.imul(shingle ^ (seeds[index] ?? 0), 0x85ebca6b);
      value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
      value = (value ^ (value >>> 16)) >>> 0;
      if (value < (signature[index] ?? 0)) signature[index] = value;
    }
  }
}

/** Shared share of two sets: |A ∩ B| / |A ∪ B|. */
function jaccard(left: readonly number[], right: readonly number[]): number {
  const set = new Set(left);
  const shared = right.filter((item) => set.has(item)).length;
  return shared / (left.length + right.length - shared);
}

/** Joins numbers into sets; a set is named by its smallest member. */
export class UnionFind {
  readonly #parents: Int32Array;

  constructor(size: number) {
    this.#parents = Int32Array.from({ length: size }, (_, index) => index);
  }

  find(item: number): number {
    let root = item;
    while ((this.#parents[root] ?? root) !== root) root = this.#parents[root] ?? root;
    this.#parents[item] = root;
    return root;
  }

  join(left: number, right: number): void {
    const [a, b] = [this.find(left), this.find(right)];
    if (a !== b) this.#parents[Math.max(a, b)] = Math.min(a, b);
  }
}

/**
 * Finds texts that nearly repeat one another, by MinHash with banding. Keeps 128 bytes a text and reads again those that
 * may be near, so that the texts themselves need not be in memory.
 */
export class NearDuplicateFinder {
  readonly #size: number;
  readonly #bands: readonly Uint32Array[];
  readonly #signature = new Uint32Array(hashes);
  readonly #textOf: (index: number) => string;
  readonly #shingles = new Map<number, readonly number[]>();
  /** Pairs that were compared and are not near: they meet again in other bands. */
  readonly #apart = new Set<number>();

  constructor(size: number, textOf: (index: number) => string) {
    this.#size = size;
    this.#bands = Array.from({ length: bands }, () => new Uint32Array(size));
    this.#textOf = textOf;
  }

  /** Adds the text of an index by its `duplicateKey`. */
  add(index: number, key: string): void {
    signatureOf(shinglesOf(key), this.#signature);
    const rowsPerBand = hashes / bands;
    for (let band = 0; band < bands; band++) {
      let hash = offset;
      for (let row = 0; row < rowsPerBand; row++) {
        const value = this.#signature[band * rowsPerBand + row] ?? 0;
        hash = Math.imul(hash ^ value, 0x85ebca6b);
        hash ^= hash >>> 15;
      }
      const own = this.#bands[band];
      if (own !== undefined) own[index] = hash >>> 0;
    }
  }

  /** The sets of texts whose word triples overlap by 0.8 or more (Jaccard). */
  async find(signal?: AbortSignal): Promise<UnionFind> {
    const sets = new UnionFind(this.#size);
    // A bucket begins with its first text. Others in it that are near none before them follow in a chain.
    const heads = new Int32Array(2 ** Math.ceil(Math.log2(this.#size * 1.5 + 2)));
    const next = new Int32Array(this.#size);
    for (const band of this.#bands) {
      await setImmediate();
      signal?.throwIfAborted();
      heads.fill(-1);
      next.fill(-1);
      this.#joinBand(band, sets, { heads, next });
    }
    return sets;
  }

  #joinBand(
    band: Uint32Array,
    sets: UnionFind,
    { heads, next }: { readonly heads: Int32Array; readonly next: Int32Array },
  ): void {
    const places = heads.length;
    for (let index = 0; index < this.#size; index++) {
      const hash = band[index] ?? 0;
      let place = hash & (places - 1);
      while (heads[place] !== -1 && band[heads[place] ?? 0] !== hash) place = (place + 1) & (places - 1);
      let other = heads[place] ?? -1;
      if (other === -1) {
        heads[place] = index;
        continue;
      }
      for (let length = 1; ; length++) {
        if (this.#isNear(other, index, sets)) break;
        const following = next[other] ?? -1;
        if (following === -1) {
          if (length < maxCandidates) next[other] = index;
          break;
        }
        other = following;
      }
    }
  }

  #isNear(other: number, index: number, sets: UnionFind): boolean {
    if (sets.find(other) === sets.find(index)) return true;
    const pair = other * this.#size + index;
    if (this.#apart.has(pair)) return false;
    if (jaccard(this.#shinglesAt(other), this.#shinglesAt(index)) < threshold) {
      if (this.#apart.size >= keptPairs) this.#apart.clear();
      this.#apart.add(pair);
      return false;
    }
    sets.join(other, index);
    return true;
  }

  #shinglesAt(index: number): readonly number[] {
    const known = this.#shingles.get(index);
    if (known !== undefined) return known;
    const shingles = shinglesOf(duplicateKey(this.#textOf(index)));
    if (this.#shingles.size >= keptShingles) this.#shingles.clear();
    this.#shingles.set(index, shingles);
    return shingles;
  }
}
