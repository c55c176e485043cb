import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { digestText, formatCanonicalJson } from '../util/canonical-json.ts';
import { codeOf, readTextIfThere, replaceFile, writeFileAtomically } from '../util/files.ts';
import type { ActionRecord } from './action-record.ts';
import { actionFile, formatAction, parseAction } from './action-record.ts';
import type { Artifact, ArtifactFile } from './artifact.ts';
import { putSafely } from './condemned.ts';
import { StatCache, hashFile } from './stat-cache.ts';

export type { ActionRecord } from './action-record.ts';

/** A damaged or missing object that was met. */
export interface StoreDamage {
  readonly digest: string;
  readonly reason: 'missing' | 'damaged' | 'unreadable';
}

/** Too many open files say nothing about the one that was to be opened. */
const isExhaustion = (error: unknown): boolean => ['EMFILE', 'ENFILE'].includes(codeOf(error) ?? '');

/** Paths of files under a folder, in code-unit order, with forward slashes. */
export function listFiles(folder: string): readonly string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'));
  return files.sort((left, right) => (left < right ? -1 : 1));
}

/**
 * The content-addressed store of one project, in its `.joyul` folder.
 *
 * Blobs and records appear under their names by a rename, whole or not at all. A blob's content is verified
 * whenever something says that it may have changed; what does not verify is never a hit.
 */
export class Store {
  readonly dir: string;
  /** Digests of files, in the store and in the project. */
  readonly statCache: StatCache;
  #storedBytes = 0;

  constructor(projectDir: string) {
    this.dir = join(projectDir, '.joyul');
    this.statCache = new StatCache(join(this.dir, 'stat-cache.tsv'));
  }

  /** How much was added to the store. */
  get storedBytes(): number {
    return this.#storedBytes;
  }

  #blob(digest: string): string {
    return join(this.dir, 'blobs', digest.slice(0, 2), digest);
  }

  /** The text of one of an artifact's files; undefined where it is not there. */
  readText(artifact: Artifact, path: string): string | undefined {
    const file = artifact.files.find((item) => item.path === path);
    return file === undefined ? undefined : readTextIfThere(this.#blob(file.digest));
  }

  /** A new empty folder on the store's disk. */
  makeWorkFolder(): string {
    const folder = join(this.dir, 'tmp', `${process.pid}-${randomUUID()}`);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** The folder that attempts with the same fingerprint share. */
  scratchFolder(fingerprint: string): string {
    const folder = join(this.dir, 'scratch', fingerprint);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Forgets a fingerprint's scratch folder. */
  removeScratch(fingerprint: string): void {
    rmSync(join(this.dir, 'scratch', fingerprint), { recursive: true, force: true });
  }

  /** Takes a file or folder into the store; `move` gives the files away, which saves copying them. */
  ingest(path: string, type: string, options: { readonly move: boolean }): Artifact {
    const isFile = statSync(path).isFile();
    const files = (isFile ? [''] : listFiles(path)).map((name) =>
      this.#ingestFile(isFile ? path : join(path, name), name, options.move),
    );
    return { type, files, digest: digestText(formatCanonicalJson(files)) };
  }

  #ingestFile(file: string, path: string, move: boolean): ArtifactFile {
    const stats = statSync(file);
    const digest = hashFile(file);
    const blob = this.#blob(digest);
    if (!this.#claim(blob, digest)) {
      this.#publishBlob(file, blob, digest, move);
      this.#storedBytes += stats.size;
    }
    return { path, digest, sizeBytes: stats.size, isExecutable: (stats.mode & 0o100) !== 0 };
  }

  /** True when a good blob is there; a clean-up then sees that it is in use. A damaged one is written over. */
  #claim(blob: string, digest: string): boolean {
    try {
      return this.statCache.digest(blob) === digest && putSafely(this.dir, () => this.statCache.touch(blob));
    } catch {
      return false;
    }
  }

  #publishBlob(file: string, blob: string, digest: string, move: boolean): void {
    mkdirSync(dirname(blob), { recursive: true });
    const temporary = `${blob}.${randomUUID()}.partial`;
    try {
      if (move) renameSync(file, temporary);
      else copyFileSync(file, temporary);
      // A copy could differ from what was hashed when the file is being changed.
      if (!move && hashFile(temporary) !== digest)
        throw new Error(`${file} changed while it was being stored.`);
      const handle = openSync(temporary, 'r');
      fsyncSync(handle);
      closeSync(handle);
      chmodSync(temporary, 0o444);
      putSafely(this.dir, () => {
        replaceFile(temporary, blob);
      });
      this.statCache.remember(blob, digest);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  }

  /** The first file of an artifact that is missing, unreadable or does not have its content any more; undefined when all is well. */
  findDamage(artifact: Artifact): StoreDamage | undefined {
    for (const { digest } of artifact.files) {
      const blob = this.#blob(digest);
      try {
        if (this.statCache.digest(blob) === digest) continue;
      } catch (error) {
        if (isExhaustion(error)) throw error;
        return { digest, reason: codeOf(error) === 'ENOENT' ? 'missing' : 'unreadable' };
      }
      return { digest, reason: 'damaged' };
    }
    return undefined;
  }

  /** Removes a damaged blob, so that the step that makes it again puts a good one in its place. */
  discard(digest: string): void {
    rmSync(this.#blob(digest), { force: true, recursive: true });
  }

  /** A read-only folder (or file) with an artifact's content, made of links to the store's blobs. */
  materialize(artifact: Artifact): string {
    const target = join(this.dir, 'artifacts', artifact.digest);
    if (this.#isMaterialized(artifact, target) && this.#claimFolder(target)) return target;
    const work = this.makeWorkFolder();
    for (const file of artifact.files) this.#place(file, join(work, file.path === '' ? 'file' : file.path));
    mkdirSync(dirname(target), { recursive: true });
    putSafely(this.dir, () => {
      this.#replaceFolder(work, target, artifact);
    });
    return target;
  }

  #claimFolder(folder: string): boolean {
    return putSafely(this.dir, () => {
      const now = new Date();
      try {
        utimesSync(folder, now, now);
        return true;
      } catch {
        return false;
      }
    });
  }

  /** Moves a folder into its place; a good one that another process made meanwhile stays, since a step may be reading it. */
  #replaceFolder(work: string, target: string, artifact: Artifact): void {
    try {
      renameSync(work, target);
      return;
    } catch (error) {
      if (!existsSync(target)) throw error;
    }
    if (!this.#isMaterialized(artifact, target)) {
      const old = this.makeWorkFolder();
      renameSync(target, join(old, 'old'));
      renameSync(work, target);
      rmSync(old, { recursive: true, force: true });
    } else rmSync(work, { recursive: true, force: true });
  }

  #isMaterialized(artifact: Artifact, target: string): boolean {
    try {
      const names = listFiles(target);
      if (names.length !== artifact.files.length) return false;
      return artifact.files.every((file, index) => {
        const name = file.path === '' ? 'file' : file.path;
        const path = join(target, name);
        const isRunnable = !file.isExecutable || (statSync(path).mode & 0o100) !== 0;
        return names[index] === name && isRunnable && this.statCache.digest(path) === file.digest;
      });
    } catch {
      return false; // It is not there or cannot be read, and is made anew.
    }
  }

  #place(file: ArtifactFile, target: string): void {
    const blob = this.#blob(file.digest);
    mkdirSync(dirname(target), { recursive: true });
    // A linked file shares its mode with the blob, which is not executable.
    if (file.isExecutable) {
      copyFileSync(blob, target);
      chmodSync(target, 0o555);
      return;
    }
    try {
      linkSync(blob, target);
    } catch (error) {
      if (!['EXDEV', 'EMLINK', 'EPERM', 'ENOTSUP'].includes(codeOf(error) ?? '')) throw error;
      copyFileSync(blob, target);
    }
  }

  /** True when a path in the project has exactly an artifact's content. */
  hasContent(path: string, artifact: Artifact): boolean {
    try {
      const isFile = statSync(path).isFile();
      const names = isFile ? [''] : listFiles(path);
      if (names.length !== artifact.files.length) return false;
      return artifact.files.every(
        (file, index) =>
          names[index] === file.path &&
          this.statCache.digest(isFile ? path : join(path, file.path)) === file.digest,
      );
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  /** Puts an artifact's content at a path in the project, as files of their own that may be edited. */
  restore(artifact: Artifact, path: string): void {
    const [first] = artifact.files;
    const isFile = artifact.files.length === 1 && first?.path === '';
    const work = `${path}.${randomUUID()}.partial`;
    mkdirSync(dirname(path), { recursive: true });
    if (!isFile) mkdirSync(work, { recursive: true });
    for (const file of artifact.files) {
      const target = isFile ? work : join(work, file.path);
      mkdirSync(dirname(target), { recursive: true });
      copyFileSync(this.#blob(file.digest), target);
      chmodSync(target, file.isExecutable ? 0o755 : 0o644);
    }
    rmSync(path, { recursive: true, force: true });
    renameSync(work, path);
  }

  /** The record under a fingerprint; undefined where there is none, or none that can be trusted. */
  readAction(fingerprint: string): ActionRecord | undefined {
    const found = this.#read(fingerprint);
    return typeof found === 'string' ? undefined : found;
  }

  /** What is wrong with the record under a fingerprint; undefined where it is good, or not there. */
  findRecordDamage(fingerprint: string): 'damaged' | 'unreadable' | undefined {
    const found = this.#read(fingerprint);
    return typeof found === 'string' && found !== 'missing' ? found : undefined;
  }

  #read(fingerprint: string): ActionRecord | StoreDamage['reason'] {
    try {
      const text = readTextIfThere(actionFile(this.dir, fingerprint));
      return text === undefined ? 'missing' : (parseAction(fingerprint, text) ?? 'damaged');
    } catch (error) {
      if (isExhaustion(error)) throw error;
      return 'unreadable';
    }
  }

  /** Publishes a step's result. */
  writeAction(fingerprint: string, action: ActionRecord): void {
    const text = formatAction(fingerprint, action);
    writeFileAtomically(actionFile(this.dir, fingerprint), text, { isDurable: true });
    this.#storedBytes += text.length;
  }

  /** Writes what was learned about files, and removes work folders of dead processes. */
  close(): void {
    if (existsSync(this.dir)) this.statCache.save();
  }
}
