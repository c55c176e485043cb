import { closeSync, mkdirSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const pageBytes = 1 << 18;
const keptPages = 32;

/** Pieces of text on disk behind a few megabytes of memory, read back by number; short ones lie together in pages. */
export class Spool {
  readonly #file: string;
  #handle: number | undefined;
  /** Where each piece begins; one more tells where the last ends. */
  #starts = new Float64Array(1024);
  #count = 0;
  /** The end of the file that is not written yet. */
  #open: Buffer[] = [];
  #openBytes = 0;
  #written = 0;
  readonly #pages = new Map<number, Buffer>();

  constructor(file: string) {
    this.#file = file;
  }

  /** Adds a piece; returns its number. */
  add(text: string): number {
    const bytes = Buffer.from(text);
    if (this.#count + 1 >= this.#starts.length) {
      const longer = new Float64Array(this.#starts.length * 2);
      longer.set(this.#starts);
      this.#starts = longer;
    }
    this.#open.push(bytes);
    this.#openBytes += bytes.length;
    const number = this.#count++;
    this.#starts[this.#count] = this.#written + this.#openBytes;
    if (this.#openBytes >= pageBytes) this.#flush();
    return number;
  }

  /** A piece by its number. */
  read(number: number): string {
    if (this.#openBytes > 0) this.#flush();
    const [start, end] = [this.#starts[number] ?? 0, this.#starts[number + 1] ?? 0];
    const first = Math.floor(start / pageBytes);
    const page = this.#page(first);
    const from = start - first * pageBytes;
    if (from + (end - start) <= page.length) return page.toString('utf8', from, from + (end - start));
    const whole = Buffer.allocUnsafe(end - start);
    this.#readInto(whole, start);
    return whole.toString('utf8');
  }

  /** Removes the file. */
  dispose(): void {
    if (this.#handle === undefined) return;
    closeSync(this.#handle);
    rmSync(this.#file, { force: true });
    this.#handle = undefined;
    this.#pages.clear();
  }

  #openFile(): number {
    if (this.#handle !== undefined) return this.#handle;
    mkdirSync(dirname(this.#file), { recursive: true });
    this.#handle = openSync(this.#file, 'w+');
    return this.#handle;
  }

  #flush(): void {
    const bytes = Buffer.concat(this.#open);
    for (let done = 0; done < bytes.length;)
      done += writeSync(this.#openFile(), bytes, done, bytes.length - done, this.#written + done);
    // The last page has grown.
    this.#pages.delete(Math.floor(this.#written / pageBytes));
    this.#written += bytes.length;
    this.#open = [];
    this.#openBytes = 0;
  }

  #page(number: number): Buffer {
    const known = this.#pages.get(number);
    if (known !== undefined) {
      // Last used is last in the map, so the first is the one to forget.
      this.#pages.delete(number);
      this.#pages.set(number, known);
      return known;
    }
    const start = number * pageBytes;
    const page = Buffer.allocUnsafeSlow(Math.max(0, Math.min(pageBytes, this.#written - start)));
    this.#readInto(page, start);
    this.#pages.set(number, page);
    if (this.#pages.size > keptPages)
      for (const [oldest] of this.#pages) {
        this.#pages.delete(oldest);
        break;
      }
    return page;
  }

  #readInto(target: Buffer, start: number): void {
    for (let done = 0; done < target.length;) {
      const read = readSync(this.#openFile(), target, done, target.length - done, start + done);
      if (read === 0) throw new Error(`${this.#file} ends before what was written into it.`);
      done += read;
    }
  }
}
