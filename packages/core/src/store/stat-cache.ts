import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync, statSync, utimesSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { readTextIfThere, writeFileAtomically } from '../util/files.ts';

/** What identifies a file's content as unchanged: an edit that keeps size and mtime still changes the ctime. */
type Identity = string;

const identityOf = (stats: BigIntStats): Identity =>
  `${stats.size} ${stats.mtimeNs} ${stats.ctimeNs} ${stats.ino}`;

/** A file changed this shortly before it was hashed may change again within the clock's resolution. */
const racyNs = 50_000_000n;

const chunkBytes = 1 << 20;

/** The sha256 of a file's bytes, in hexadecimal. */
export function hashFile(file: string): string {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(chunkBytes);
  const handle = openSync(file, 'r');
  try {
    for (let read = readSync(handle, buffer); read > 0; read = readSync(handle, buffer))
      hash.update(buffer.subarray(0, read));
  } finally {
    closeSync(handle);
  }
  return hash.digest('hex');
}

/** Digests of files, remembered as long as nothing says that they changed. */
export class StatCache {
  readonly #file: string;
  #entries: Map<string, readonly [Identity, string]> | undefined;
  #isDirty = false;

  constructor(file: string) {
    this.#file = file;
  }

  /** The digest of a file; it is read only where its size, times or inode differ from those remembered. */
  digest(file: string): string {
    const stats = statSync(file, { bigint: true });
    const identity = identityOf(stats);
    const entries = this.#load();
    const known = entries.get(file);
    if (known?.[0] === identity) return known[1];
    const digest = hashFile(file);
    this.#remember(file, stats, digest);
    return digest;
  }

  /** Takes over a digest that was computed while the file was written. */
  remember(file: string, digest: string): void {
    this.#remember(file, statSync(file, { bigint: true }), digest);
  }

  /** Says that a file is in use, by its times; what is known of its content stays known. False where it cannot be said. */
  touch(file: string): boolean {
    try {
      const before = statSync(file, { bigint: true });
      utimesSync(file, new Date(), new Date(Number(before.mtimeMs)));
      const after = statSync(file, { bigint: true });
      const known = this.#load().get(file);
      // Only the times were changed, and by this process.
      if (known?.[0] === identityOf(before) && before.size === after.size && before.ino === after.ino)
        this.#set(file, [identityOf(after), known[1]]);
      return true;
    } catch {
      return false;
    }
  }

  #set(file: string, entry: readonly [Identity, string]): void {
    this.#load().set(file, entry);
    this.#isDirty = true;
  }

  #remember(file: string, before: BigIntStats, digest: string): void {
    const now = BigInt(Date.now()) * 1_000_000n;
    const changed = before.ctimeNs > before.mtimeNs ? before.ctimeNs : before.mtimeNs;
    const isSteady = identityOf(statSync(file, { bigint: true })) === identityOf(before);
    // A racy entry is not kept: the next look reads the file again.
    if (!isSteady || now - changed < racyNs) return;
    this.#set(file, [identityOf(before), digest]);
  }

  #load(): Map<string, readonly [Identity, string]> {
    if (this.#entries !== undefined) return this.#entries;
    const entries = new Map<string, readonly [Identity, string]>();
    for (const line of this.#readLines()) {
      const [identity, digest, file] = line.split('\t');
      if (identity !== undefined && digest?.length === 64 && file !== undefined)
        entries.set(file, [identity, digest]);
    }
    this.#entries = entries;
    return entries;
  }

  #readLines(): readonly string[] {
    try {
      return (readTextIfThere(this.#file) ?? '').split('\n');
    } catch {
      return []; // Files are hashed again.
    }
  }

  /** Writes what was learned; losing it costs time only. */
  save(): void {
    if (!this.#isDirty || this.#entries === undefined) return;
    const lines = [...this.#entries].map(([file, [identity, digest]]) => `${identity}\t${digest}\t${file}\n`);
    writeFileAtomically(this.#file, lines.join(''));
    this.#isDirty = false;
  }
}
