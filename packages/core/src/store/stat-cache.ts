import { sep } from 'node:path';
import { readTextIfThere, writeFileAtomically } from '../util/files.ts';
import { createSha256, digestOf } from '../util/hash.ts';
import type { FileFacts, FileSystem } from '../util/file-system.ts';
import type { Platform } from '../util/platform.ts';

/** What identifies a file's content as unchanged: an edit that keeps size and mtime still changes the ctime. */
interface Entry {
  readonly sizeBytes: number;
  readonly modifiedMs: number;
  readonly changedMs: number;
  readonly inode: number;
  readonly digest: string;
}

const isSame = (entry: Entry, facts: FileFacts): boolean =>
  entry.changedMs === facts.changedMs &&
  entry.modifiedMs === facts.modifiedMs &&
  entry.sizeBytes === facts.sizeBytes &&
  entry.inode === facts.inode;

/** A file changed this shortly before it was hashed may change again within the resolution of the kernel's clock. */
const racyMs = 50;

/** Content that is younger than this may not be on the disk yet: a power failure can take it and leave its times. */
const unsettledMs = 60_000;

const chunkBytes = 1 << 20;

/** The sha256 of a file's bytes, in hexadecimal; one that is known to be small is read at once. */
export function hashFile(fs: FileSystem, file: string, sizeBytes = Infinity): string {
  if (sizeBytes <= chunkBytes) return digestOf(fs.readBytes(file));
  const hash = createSha256();
  const buffer = Buffer.allocUnsafe(chunkBytes);
  const handle = fs.open(file, 'r');
  try {
    for (let read = fs.read(handle, buffer); read > 0; read = fs.read(handle, buffer))
      hash.update(buffer.subarray(0, read));
  } finally {
    fs.close(handle);
  }
  return hash.digest('hex');
}

/** Digests of files, remembered as long as nothing says that they changed. */
export class StatCache {
  readonly #file: string;
  readonly #root: string;
  readonly #platform: Platform;
  #entries: Map<string, Entry> | undefined;
  readonly #own: { readonly file: string; readonly facts: FileFacts; readonly digest: string }[] = [];
  #isDirty = false;

  /** Files are known by their paths inside `root`, so that a project may be moved. */
  constructor(file: string, root: string, platform: Platform) {
    this.#file = file;
    this.#root = root.endsWith(sep) ? root : root + sep;
    this.#platform = platform;
  }

  /** The digest of a file that `facts` were just taken of; it is read only where they differ from those remembered. */
  digest(file: string, facts: FileFacts): string {
    const known = this.#load().get(this.#keyOf(file));
    if (known !== undefined && isSame(known, facts)) return known.digest;
    const isRacy = this.#isRacy(facts);
    const digest = hashFile(this.#platform.fs, file, facts.sizeBytes);
    if (!isRacy) this.#keep(file, facts, digest);
    return digest;
  }

  /** The digest of a file, or undefined where there is none. */
  digestIfThere(file: string): string | undefined {
    const facts = this.#platform.fs.stat(file);
    return facts?.kind === 'file' ? this.digest(file, facts) : undefined;
  }

  /**
   * Takes over the digest of a file that this process wrote, when `save` finds it unchanged since `facts` were taken.
   *
   * For files that nobody else knows of yet: the time between writing and taking the facts is not looked into.
   */
  rememberOwn(file: string, facts: FileFacts, digest: string): void {
    this.#own.push({ file, facts, digest });
  }

  /** Says that a file is in use, by its times; what is known of its content stays known. False where it cannot be said. */
  touch(file: string): boolean {
    const { fs } = this.#platform;
    try {
      const before = fs.stat(file);
      if (before === undefined) return false;
      fs.touch(file, before.modifiedMs);
      const after = fs.stat(file);
      const known = this.#load().get(this.#keyOf(file));
      // Only the times were changed, and by this process.
      if (known !== undefined && isSame(known, before) && after?.sizeBytes === before.sizeBytes)
        this.rememberOwn(file, after, known.digest);
      return true;
    } catch {
      return false;
    }
  }

  /** True when another change may still get the same times: the next look must read again. */
  #isRacy({ changedMs }: FileFacts): boolean {
    return this.#platform.clock.now() - changedMs < racyMs;
  }

  #keep(file: string, before: FileFacts, digest: string): void {
    const after = this.#platform.fs.stat(file);
    const { sizeBytes, modifiedMs, changedMs, inode } = before;
    const entry = { sizeBytes, modifiedMs, changedMs, inode, digest };
    if (after === undefined || !isSame(entry, after)) return;
    const key = this.#keyOf(file);
    // The file of entries is made of lines and tabs.
    if (/[\t\n]/.test(key)) return;
    this.#load().set(key, entry);
    this.#isDirty = true;
  }

  #keyOf(file: string): string {
    return file.startsWith(this.#root) ? file.slice(this.#root.length) : file;
  }

  #load(): Map<string, Entry> {
    if (this.#entries !== undefined) return this.#entries;
    const entries = new Map<string, Entry>();
    const text = this.#readText();
    const header = text.indexOf('\n');
    const [boot, saved] = text.slice(0, header).split('\t');
    const trustedMs = boot === this.#platform.boot ? Infinity : Number(saved) - unsettledMs;
    for (let start = header + 1; start < text.length;) {
      const end = text.indexOf('\n', start);
      // A last line without an end was torn.
      if (end === -1) break;
      const [size, modified, changed, inode, digest = '', key] = text.slice(start, end).split('\t');
      if (key !== undefined && digest.length === 64 && Number(changed) < trustedMs)
        entries.set(key, {
          sizeBytes: Number(size),
          modifiedMs: Number(modified),
          changedMs: Number(changed),
          inode: Number(inode),
          digest,
        });
      start = end + 1;
    }
    this.#entries = entries;
    return entries;
  }

  #readText(): string {
    try {
      return readTextIfThere(this.#platform.fs, this.#file) ?? '';
    } catch {
      return ''; // Files are hashed again.
    }
  }

  /** Forgets files that are not there any more. */
  prune(): void {
    const entries = this.#load();
    for (const key of entries.keys()) {
      const file = key.startsWith(sep) ? key : this.#root + key;
      if (this.#platform.fs.stat(file) !== undefined) continue;
      entries.delete(key);
      this.#isDirty = true;
    }
  }

  /** Writes what was learned; losing it costs time only. */
  save(): void {
    for (const { file, facts, digest } of this.#own)
      if (!this.#isRacy(facts)) this.#keep(file, facts, digest);
    this.#own.length = 0;
    if (!this.#isDirty || this.#entries === undefined) return;
    let text = `${this.#platform.boot}\t${this.#platform.clock.now()}\n`;
    for (const [key, { sizeBytes, modifiedMs, changedMs, inode, digest }] of this.#entries)
      text += `${sizeBytes}\t${modifiedMs}\t${changedMs}\t${inode}\t${digest}\t${key}\n`;
    writeFileAtomically(this.#platform.fs, this.#file, text);
    this.#isDirty = false;
  }
}
