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
} from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import type { StepEvent } from '@joyul/plugin-api';
import { digestText, formatCanonicalJson } from '../util/canonical-json.ts';
import { codeOf, readTextIfThere, writeFileAtomically } from '../util/files.ts';
import type { Artifact, ArtifactFile } from './artifact.ts';
import { StatCache, hashFile } from './stat-cache.ts';

/** What is kept of a step that succeeded, under its fingerprint. */
export interface ActionRecord {
  readonly version: 1;
  /** Everything that decided the outputs; its digest is the fingerprint. */
  readonly record: unknown;
  readonly outputs: Readonly<Record<string, Artifact>>;
  /** Findings, curves and tables, told again when the step is reused. */
  readonly kept: readonly StepEvent[];
  readonly durationMs: number;
}

/** A damaged or missing object that was met. */
export interface StoreDamage {
  readonly digest: string;
  readonly reason: 'missing' | 'damaged';
}

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

  constructor(projectDir: string) {
    this.dir = join(projectDir, '.joyul');
    this.statCache = new StatCache(join(this.dir, 'stat-cache.tsv'));
  }

  #blob(digest: string): string {
    return join(this.dir, 'blobs', digest.slice(0, 2), digest);
  }

  #action(fingerprint: string): string {
    return join(this.dir, 'actions', fingerprint.slice(0, 2), `${fingerprint}.json`);
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
    if (!existsSync(blob)) this.#publishBlob(file, blob, digest, move);
    return { path, digest, sizeBytes: stats.size, isExecutable: (stats.mode & 0o100) !== 0 };
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
      renameSync(temporary, blob);
      this.statCache.remember(blob, digest);
    } catch (error) {
      rmSync(temporary, { force: true });
      throw error;
    }
  }

  /** The first file of an artifact that is missing or does not have its content any more; undefined when all is well. */
  findDamage(artifact: Artifact): StoreDamage | undefined {
    for (const { digest } of artifact.files) {
      const blob = this.#blob(digest);
      try {
        if (this.statCache.digest(blob) === digest) continue;
      } catch (error) {
        if (codeOf(error) !== 'ENOENT') throw error;
        return { digest, reason: 'missing' };
      }
      return { digest, reason: 'damaged' };
    }
    return undefined;
  }

  /** Removes a damaged blob, so that the step that makes it again puts a good one in its place. */
  discard(digest: string): void {
    rmSync(this.#blob(digest), { force: true });
  }

  /** A read-only folder (or file) with an artifact's content, made of links to the store's blobs. */
  materialize(artifact: Artifact): string {
    const target = join(this.dir, 'artifacts', artifact.digest);
    if (this.#isMaterialized(artifact, target)) return target;
    const work = this.makeWorkFolder();
    for (const file of artifact.files) this.#place(file, join(work, file.path === '' ? 'file' : file.path));
    rmSync(target, { recursive: true, force: true });
    mkdirSync(dirname(target), { recursive: true });
    renameSync(work, target);
    return target;
  }

  #isMaterialized(artifact: Artifact, target: string): boolean {
    if (!existsSync(target)) return false;
    const names = listFiles(target);
    if (names.length !== artifact.files.length) return false;
    return artifact.files.every((file, index) => {
      const name = file.path === '' ? 'file' : file.path;
      return names[index] === name && this.statCache.digest(join(target, name)) === file.digest;
    });
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

  /** The record under a fingerprint, or undefined. */
  readAction(fingerprint: string): ActionRecord | undefined {
    const text = readTextIfThere(this.#action(fingerprint));
    if (text === undefined) return undefined;
    try {
      const action = JSON.parse(text) as ActionRecord; // Checked by its digest below.
      // A record that does not hash to its own name was damaged: a miss.
      return digestText(formatCanonicalJson(action.record)) === fingerprint ? action : undefined;
    } catch {
      return undefined;
    }
  }

  /** Publishes a step's result. */
  writeAction(fingerprint: string, action: ActionRecord): void {
    writeFileAtomically(this.#action(fingerprint), JSON.stringify(action), { isDurable: true });
  }

  /** Writes what was learned about files, and removes work folders of dead processes. */
  close(): void {
    if (existsSync(this.dir)) this.statCache.save();
  }
}
