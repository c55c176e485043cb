import { duplicateKey } from './clean.ts';

const hashes = 128;
const bands = 32; // 4 rows a band: a pair of similarity 0.8 shares a band with probability 0.9999999.
const maxCandidates = 8; // In one bucket: boilerplate must not make the search quadratic.
const shingleWords = 3;

/** FNV-1a, 32 bits. */
function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++)
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

function shinglesOf(text: string): readonly number[] {
  const words = duplicateKey(text).split(' ');
  if (words.length <= shingleWords) return [hashText(words.join(' '))];
  const found = new Set<number>();
  for (let index = 0; index + shingleWords <= words.length; index++)
    found.add(hashText(words.slice(index, index + shingleWords).join(' ')));
  return [...found];
}

/** The smallest value of each of 128 hash functions over a text's shingles (Broder 1997). */
function signatureOf(shingles: readonly number[]): Uint32Array {
  const signature = new Uint32Array(hashes).fill(0xffffffff);
  for (const shingle of shingles) {
    for (let index = 0; index < hashes; index++) {
      // Multiplying by odd numbers and shifting gives each index a hash function of its own.
      let value = Math.imul(shingle ^ Math.imul(index + 1, 0x9e3779b1), 0x85ebca6b);
      value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
      value = (value ^ (value >>> 16)) >>> 0;
      if (value < (signature[index] ?? 0)) signature[index] = value;
    }
  }
  return signature;
}

/** Shared share of two sets: |A ∩ B| / |A ∪ B|. */
function jaccard(left: readonly number[], right: readonly number[]): number {
  const set = new Set(left);
  const shared = right.filter((item) => set.has(item)).length;
  return shared / (left.length + right.length - shared);
}

/** Joins numbers into sets; a set is named by its smallest member. */
export class UnionFind {
  readonly #parents: number[];

  constructor(size: number) {
    this.#parents = Array.from({ length: size }, (_, index) => index);
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
 * The set that each text belongs to: texts whose word triples overlap by at least `threshold`
 * (Jaccard) are in one set, named by the smallest index in it. MinHash with banding finds the candidates.
 */
export function groupNearDuplicates(texts: readonly string[], threshold = 0.8): readonly number[] {
  const shingles = texts.map(shinglesOf);
  const sets = new UnionFind(texts.length);
  const rowsPerBand = hashes / bands;
  // Members of a bucket that are near none before them: a text is compared with these only.
  const buckets = new Map<string, number[]>();
  shingles.forEach((list, index) => {
    const signature = signatureOf(list);
    for (let band = 0; band < bands; band++) {
      const key = `${band}:${signature.subarray(band * rowsPerBand, (band + 1) * rowsPerBand).join()}`;
      const others = buckets.get(key);
      if (others === undefined) buckets.set(key, [index]);
      else if (!others.some((other) => isNear(other, index)) && others.length < maxCandidates)
        others.push(index);
    }
  });
  return texts.map((_, index) => sets.find(index));

  function isNear(other: number, index: number): boolean {
    if (sets.find(other) === sets.find(index)) return true;
    if (jaccard(shingles[other] ?? [], shingles[index] ?? []) < threshold) return false;
    sets.join(other, index);
    return true;
  }
}
