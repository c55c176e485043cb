import { join } from 'node:path';
import { codeOf, listFiles, partialNameOf, replaceFile, withFolderOf, writeFile } from '../util/files.ts';
import type { FileFacts } from '../util/file-system.ts';
import { digestOf } from '../util/hash.ts';
import type { Platform } from '../util/platform.ts';
import type { Artifact, ArtifactFile } from './artifact.ts';
import { digestArtifact } from './artifact.ts';
import { putSafely } from './condemned.ts';
import type { Flusher } from './flusher.ts';
import type { StatCache } from './stat-cache.ts';
import { hashFile } from './stat-cache.ts';

/** A damaged or missing object that was met. */
export interface StoreDamage {
  readonly digest: string;
  readonly reason: 'missing' | 'damaged' | 'unreadable';
}

/** Too many open files say nothing about the one that was to be opened. */
export const isExhaustion = (error: unknown): boolean => ['EMFILE', 'ENFILE'].includes(codeOf(error) ?? '');

/** How something is taken into the store. */
export interface IngestOptions {
  /** Gives the files away, which saves copying them. */
  readonly move: boolean;
  /** Flushes them, so that they outlast a power failure. */
  readonly mustLast: boolean;
}

/**
 * Whether a result is worth flushing: one that was made faster is made again after a power failure.
 *
 * Until then it can be lost, but not be taken for whole: records carry a digest, and a blob's is not trusted without
 * reading when the machine has started since.
 */
export const isWorthFlushing = (durationMs: number): boolean => durationMs >= 1000;

interface Content {
  readonly digest: string;
  readonly sizeBytes: number;
}

/** Files up to this size are read once and written from memory. */
const smallBytes = 1 << 20;
/** Nobody changes what is stored. */
const readOnlyMode = 0o444;

/** The contents of files, each under its digest. */
export class Blobs {
  readonly #storeDir: string;
  readonly #statCache: StatCache;
  readonly #platform: Platform;
  readonly #flusher: Flusher;
  #storedBytes = 0;

  constructor(parts: {
    readonly storeDir: string;
    readonly statCache: StatCache;
    readonly platform: Platform;
    readonly flusher: Flusher;
  }) {
    this.#storeDir = parts.storeDir;
    this.#statCache = parts.statCache;
    this.#platform = parts.platform;
    this.#flusher = parts.flusher;
  }

  /** How much was added. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  /** Where the content with a digest is, if it is there. */
  pathOf(digest: string): string {
    return join(this.#storeDir, 'blobs', digest.slice(0, 2), digest);
  }

  /** Takes a file or folder into the store. */
  ingest(path: string, type: string, options: IngestOptions): Artifact {
    const isFile = this.#platform.fs.stat(path)?.kind === 'file';
    const files = (isFile ? [''] : listFiles(this.#platform.fs, path)).map((name) =>
      this.#ingestFile(isFile ? path : join(path, name), name, options),
    );
    return { type, files, digest: digestArtifact(files) };
  }

  #ingestFile(file: string, path: string, options: IngestOptions): ArtifactFile {
    const { fs } = this.#platform;
    const facts = fs.stat(file);
    if (facts === undefined) throw new Error(`${file} went away while it was being stored.`);
    const { digest, sizeBytes } = this.#ingestContent(file, facts, options);
    return { path, digest, sizeBytes, isExecutable: facts.isExecutable };
  }

  /** What is hashed is what is stored: the file itself may be changing. */
  #ingestContent(file: string, facts: FileFacts, options: IngestOptions): Content {
    const { fs } = this.#platform;
    if (facts.sizeBytes <= smallBytes) {
      const bytes = fs.readBytes(file);
      const digest = digestOf(bytes);
      const content = { digest, sizeBytes: bytes.length };
      this.#publishBlob(content, options, (temporary) => writeFile(fs, temporary, bytes, readOnlyMode));
      return content;
    }
    const copy = partialNameOf(join(this.#storeDir, 'blobs', 'incoming'));
    try {
      withFolderOf(fs, copy, () => (options.move ? fs.rename(file, copy) : fs.copy(file, copy)));
      const { sizeBytes } = fs.stat(copy) ?? facts;
      const digest = hashFile(fs, copy, sizeBytes);
      this.#publishBlob({ digest, sizeBytes }, options, (temporary) => {
        fs.setMode(copy, readOnlyMode);
        fs.rename(copy, temporary);
      });
      return { digest, sizeBytes };
    } finally {
      fs.remove(copy);
    }
  }

  /** `write` puts the content under a temporary name; nothing happens where the blob is there and whole. */
  #publishBlob(
    { digest, sizeBytes }: Content,
    { mustLast }: IngestOptions,
    write: (temporary: string) => void,
  ): void {
    const { fs } = this.#platform;
    const blob = this.pathOf(digest);
    if (this.#claim(blob, digest)) return;
    const temporary = partialNameOf(blob);
    try {
      withFolderOf(fs, temporary, () => {
        write(temporary);
      });
      this.#putSafely(() => {
        replaceFile(fs, temporary, blob);
      });
    } catch (error) {
      fs.remove(temporary);
      throw error;
    }
    this.#storedBytes += sizeBytes;
    const facts = fs.stat(blob);
    if (facts !== undefined) this.#statCache.rememberOwn(blob, facts, digest);
    if (mustLast) this.#flusher.add(blob);
  }

  #putSafely<T>(action: () => T): T {
    return putSafely(this.#storeDir, action, this.#platform);
  }

  /** True when a good blob is there; a clean-up then sees that it is in use. A damaged one is written over. */
  #claim(blob: string, digest: string): boolean {
    const facts = this.#platform.fs.stat(blob);
    if (facts === undefined) return false;
    try {
      const isGood = facts.kind === 'file' && this.#statCache.digest(blob, facts) === digest;
      return isGood && this.#putSafely(() => this.#statCache.touch(blob));
    } catch (error) {
      if (isExhaustion(error)) throw error;
      return false; // It may not be read.
    }
  }

  /** The first file of an artifact that is missing or does not have its content any more; undefined when all is well. */
  findDamage(artifact: Artifact): StoreDamage | undefined {
    for (const { digest } of artifact.files) {
      try {
        const blob = this.pathOf(digest);
        const facts = this.#platform.fs.stat(blob);
        if (facts === undefined) return { digest, reason: 'missing' };
        if (facts.kind !== 'file') return { digest, reason: 'unreadable' };
        if (this.#statCache.digest(blob, facts) !== digest) return { digest, reason: 'damaged' };
      } catch (error) {
        if (isExhaustion(error)) throw error;
        return { digest, reason: codeOf(error) === 'ENOENT' ? 'missing' : 'unreadable' };
      }
    }
    return undefined;
  }

  /** Removes a damaged blob, so that the step that makes it again puts a good one in its place. */
  discard(digest: string): void {
    this.#platform.fs.remove(this.pathOf(digest));
  }
}
