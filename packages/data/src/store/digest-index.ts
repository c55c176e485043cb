import { hash } from 'node:crypto';

const words = 4; // 128 bits of SHA-256: two of a billion texts share them with a probability of 10^-21.

/**
 * Remembers one number for each of many texts in 20 to 57 bytes a text, however long the texts are: it keeps digests only.
 */
export class DigestIndex {
  #mask: number;
  #digests: Uint32Array;
  /** 0 where a place is free, otherwise the number and one. */
  #values: Float64Array;
  #size = 0;

  constructor(capacity = 1024) {
    const places = 2 ** Math.max(10, Math.ceil(Math.log2(capacity * 1.5)));
    this.#mask = places - 1;
    this.#digests = new Uint32Array(places * words);
    this.#values = new Float64Array(places);
  }

  /** The number that a text has; undefined where it has none. */
  get(text: string): number | undefined {
    const value = this.#values[this.#placeOf(digestOf(text))] ?? 0;
    return value === 0 ? undefined : value - 1;
  }

  /** Gives a text a number of at least 0. */
  set(text: string, value: number): void {
    if (this.#size * 3 >= this.#values.length * 2) this.#grow();
    this.#put(digestOf(text), value + 1);
  }

  /** The number that a text has; one that has none gets this one. */
  getOrSet(text: string, value: number): number | undefined {
    if (this.#size * 3 >= this.#values.length * 2) this.#grow();
    const digest = digestOf(text);
    const place = this.#placeOf(digest);
    const known = this.#values[place] ?? 0;
    if (known !== 0) return known - 1;
    this.#put(digest, value + 1);
    return undefined;
  }

  #put(digest: Uint32Array, stored: number): void {
    const place = this.#placeOf(digest);
    if (this.#values[place] === 0) {
      this.#size++;
      this.#digests.set(digest, place * words);
    }
    this.#values[place] = stored;
  }

  /** Where a digest is, or would be: places are tried one after the other. */
  #placeOf(digest: Uint32Array): number {
    let place = (digest[0] ?? 0) & this.#mask;
    while (this.#values[place] !== 0 && !this.#isAt(digest, place)) place = (place + 1) & this.#mask;
    return place;
  }

  #isAt(digest: Uint32Array, place: number): boolean {
    for (let at = 0; at < words; at++) if (this.#digests[place * words + at] !== digest[at]) return false;
    return true;
  }

  #grow(): void {
    const [digests, values] = [this.#digests, this.#values];
    this.#mask = values.length * 2 - 1;
    this.#digests = new Uint32Array(values.length * 2 * words);
    this.#values = new Float64Array(values.length * 2);
    this.#size = 0;
    values.forEach((stored, place) => {
      if (stored !== 0) this.#put(digests.subarray(place * words, (place + 1) * words), stored);
    });
  }
}

function digestOf(text: string): Uint32Array {
  const bytes = hash('sha256', text, 'buffer');
  return new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + words * 4));
}
