import { join } from 'node:path';
import type { StepEvent } from '@joyul/plugin-api';
import { formatCanonicalJson } from '../util/canonical-json.ts';
import { digestOf } from '../util/hash.ts';
import { codeOf, listFiles, makeUniqueName, partialNameOf, withFolderOf, writeFile } from '../util/files.ts';
import { readTextIfThere, writeFileAtomically } from '../util/files.ts';
import type { FileFacts } from '../util/file-system.ts';
import type { Platform } from '../util/platform.ts';
import { realPlatform } from '../util/platform.ts';
import { ActionPack } from './action-pack.ts';
import type { Artifact, ArtifactFile } from './artifact.ts';
import { digestArtifact } from './artifact.ts';
import { Flusher } from './flusher.ts';
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
  readonly reason: 'missing' | 'damaged' | 'unreadable';
}

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
const readOnly = { file: 0o444, executable: 0o555 } as const;

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
  readonly #platform: Platform;
  readonly #flusher: Flusher;
  #pack: ActionPack | undefined;

  constructor(projectDir: string, platform: Platform = realPlatform) {
    this.dir = join(projectDir, '.joyul');
    this.#platform = platform;
    this.statCache = new StatCache(join(this.dir, 'stat-cache.tsv'), projectDir, platform);
    this.#flusher = new Flusher(platform.fs);
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
    return file === undefined ? undefined : readTextIfThere(this.#platform.fs, this.#blob(file.digest));
  }

  /** A new empty folder on the store's disk. */
  makeWorkFolder(): string {
    const folder = join(this.dir, 'tmp', makeUniqueName());
    this.#platform.fs.makeFolder(folder);
    return folder;
  }

  /** The folder that attempts with the same fingerprint share. */
  scratchFolder(fingerprint: string): string {
    const folder = join(this.dir, 'scratch', fingerprint);
    this.#platform.fs.makeFolder(folder);
    return folder;
  }

  /** Forgets a fingerprint's scratch folder. */
  removeScratch(fingerprint: string): void {
    const folder = join(this.dir, 'scratch', fingerprint);
    try {
      // Most are empty, and looking for what is in them takes ten times as long.
      this.#platform.fs.removeFolder(folder);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') this.#platform.fs.remove(folder);
    }
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
      this.#publishBlob(content, options, (temporary) => writeFile(fs, temporary, bytes, readOnly.file));
      return content;
    }
    const copy = partialNameOf(join(this.dir, 'blobs', 'incoming'));
    try {
      withFolderOf(fs, copy, () => (options.move ? fs.rename(file, copy) : fs.copy(file, copy)));
      const { sizeBytes } = fs.stat(copy) ?? facts;
      const digest = hashFile(fs, copy, sizeBytes);
      this.#publishBlob({ digest, sizeBytes }, options, (temporary) => {
        fs.setMode(copy, readOnly.file);
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
    const blob = this.#blob(digest);
    const there = fs.stat(blob);
    // One of another size was damaged: it is replaced, since nobody may have looked at it yet.
    if (there?.sizeBytes === sizeBytes && this.statCache.digest(blob, there) === digest) return;
    const temporary = partialNameOf(blob);
    try {
      withFolderOf(fs, temporary, () => {
        write(temporary);
      });
      fs.rename(temporary, blob);
    } catch (error) {
      fs.remove(temporary);
      throw error;
    }
    const facts = fs.stat(blob);
    if (facts !== undefined) this.statCache.rememberOwn(blob, facts, digest);
    if (mustLast) this.#flusher.add(blob);
  }

  /** The first file of an artifact that is missing or does not have its content any more; undefined when all is well. */
  findDamage(artifact: Artifact): StoreDamage | undefined {
    for (const { digest } of artifact.files) {
      try {
        const found = this.statCache.digestIfThere(this.#blob(digest));
        if (found === digest) continue;
        return { digest, reason: found === undefined ? 'missing' : 'damaged' };
      } catch (error) {
        const code = codeOf(error);
        if (code === 'EACCES' || code === 'EPERM' || code === 'EIO') return { digest, reason: 'unreadable' };
        if (code === 'ENOENT') return { digest, reason: 'missing' };
        throw error;
      }
    }
    return undefined;
  }

  /** Removes a damaged blob, so that the step that makes it again puts a good one in its place. */
  discard(digest: string): void {
    this.#platform.fs.remove(this.#blob(digest));
  }

  /** A read-only folder (or file) with an artifact's content, made of links to the store's blobs. */
  materialize(artifact: Artifact): string {
    const { fs } = this.#platform;
    const target = join(this.dir, 'artifacts', artifact.digest);
    if (this.#isMaterialized(artifact, target)) return target;
    const work = this.makeWorkFolder();
    for (const file of artifact.files) this.#place(file, join(work, nameInFolder(file)));
    fs.remove(target);
    withFolderOf(fs, target, () => fs.rename(work, target));
    return target;
  }

  #isMaterialized(artifact: Artifact, target: string): boolean {
    const { fs } = this.#platform;
    if (fs.stat(target)?.kind !== 'folder') return false;
    const names = listFiles(fs, target);
    if (names.length !== artifact.files.length) return false;
    return artifact.files.every(
      (file, index) =>
        names[index] === nameInFolder(file) &&
        this.statCache.digestIfThere(join(target, nameInFolder(file))) === file.digest,
    );
  }

  #place(file: ArtifactFile, target: string): void {
    const { fs } = this.#platform;
    const blob = this.#blob(file.digest);
    // A linked file shares its mode with the blob, which is not executable.
    if (file.isExecutable) {
      withFolderOf(fs, target, () => fs.copy(blob, target));
      fs.setMode(target, readOnly.executable);
      return;
    }
    const before = fs.stat(blob);
    const isVerified = before !== undefined && this.statCache.digest(blob, before) === file.digest;
    try {
      withFolderOf(fs, target, () => fs.link(blob, target));
    } catch (error) {
      if (!['EXDEV', 'EMLINK', 'EPERM', 'ENOTSUP'].includes(codeOf(error) ?? '')) throw error;
      fs.copy(blob, target);
      return;
    }
    // A new name changes the ctime of both, which would have them hashed again.
    const after = fs.stat(target);
    if (!isVerified || after === undefined || after.modifiedMs !== before.modifiedMs) return;
    for (const name of [blob, target]) this.statCache.rememberOwn(name, after, file.digest);
  }

  /** True when a path in the project has exactly an artifact's content. */
  hasContent(path: string, artifact: Artifact): boolean {
    const { fs } = this.#platform;
    const facts = fs.stat(path);
    if (facts === undefined) return false;
    const [first] = artifact.files;
    if (facts.kind === 'file')
      return (
        artifact.files.length === 1 &&
        first?.path === '' &&
        this.statCache.digest(path, facts) === first.digest
      );
    const names = listFiles(fs, path);
    if (names.length !== artifact.files.length) return false;
    return artifact.files.every(
      (file, index) =>
        names[index] === file.path && this.statCache.digestIfThere(join(path, file.path)) === file.digest,
    );
  }

  /** Puts an artifact's content at a path in the project, as files of their own that may be edited. */
  restore(artifact: Artifact, path: string): void {
    const { fs } = this.#platform;
    const [first] = artifact.files;
    const isFile = artifact.files.length === 1 && first?.path === '';
    const work = partialNameOf(path);
    try {
      if (!isFile) fs.makeFolder(work);
      for (const file of artifact.files) {
        const target = isFile ? work : join(work, file.path);
        withFolderOf(fs, target, () => fs.copy(this.#blob(file.digest), target));
        fs.setMode(target, file.isExecutable ? 0o755 : 0o644);
      }
      // A file is replaced in one move; a folder cannot be.
      if (!isFile || fs.stat(path)?.kind === 'folder') fs.remove(path);
      fs.rename(work, path);
    } catch (error) {
      fs.remove(work);
      throw error;
    }
  }

  /** The record under a fingerprint; undefined where there is none, or where it is not what was written. */
  readAction(fingerprint: string): ActionRecord | undefined {
    try {
      const text = readTextIfThere(this.#platform.fs, this.#action(fingerprint));
      return text === undefined ? undefined : parseChecked(fingerprint, text);
    } catch (error) {
      // One that may not be read is a miss, as one that is not there.
      if (codeOf(error) === 'EACCES' || codeOf(error) === 'EIO') return undefined;
      throw error;
    }
  }

  /** Finds the fingerprint and the stored result of what decides a step; `text` is its canonical JSON. */
  find(record: unknown, text: string): { readonly fingerprint: string; readonly action?: ActionRecord } {
    const packed = this.#pack?.find(text);
    if (packed !== undefined) {
      const action = { ...parsePacked(packed.body), record };
      return { fingerprint: packed.fingerprint, action };
    }
    const fingerprint = digestOf(text);
    const action = this.readAction(fingerprint);
    if (action === undefined) return { fingerprint };
    this.#pack?.add(text, { fingerprint, body: formatPacked(action) });
    return { fingerprint, action };
  }

  /** Publishes a step's result. */
  writeAction(fingerprint: string, action: ActionRecord): void {
    const file = this.#action(fingerprint);
    writeFileAtomically(this.#platform.fs, file, formatChecked(fingerprint, action));
    if (isWorthFlushing(action.durationMs)) this.#flusher.add(file);
    this.#pack?.add(formatCanonicalJson(action.record), { fingerprint, body: formatPacked(action) });
  }

  /** Reads the records of one pipeline's last run in one go; thousands of files take longer than one. */
  usePack(name: string): void {
    this.#pack = new ActionPack(this.#platform.fs, join(this.dir, 'last', `${name}.actions`));
  }

  /** Waits until everything that was published would outlast a power failure. */
  async flush(): Promise<void> {
    await this.#flusher.end();
  }

  /** Writes what was learned about files. */
  close(): void {
    if (this.#platform.fs.stat(this.dir) === undefined) return;
    this.statCache.save();
    this.#pack?.save();
  }
}

/** An artifact that is a single file is given to steps as a folder with this file in it. */
const nameInFolder = ({ path }: ArtifactFile): string => (path === '' ? 'file' : path);

/** Without what decides the outputs, which a pack has beside it. */
function formatPacked({ record: _record, ...rest }: ActionRecord): string {
  return JSON.stringify(rest);
}

const parsePacked = (body: string): Omit<ActionRecord, 'record'> =>
  JSON.parse(body) as Omit<ActionRecord, 'record'>; // The line's checksum says that formatPacked wrote it.

/** A record with a digest in front, of its own text and of the fingerprint that it stands for: any damage shows. */
function formatChecked(fingerprint: string, action: ActionRecord): string {
  const body = JSON.stringify(action);
  return `${digestOf(fingerprint + body)} ${body}`;
}

function parseChecked(fingerprint: string, text: string): ActionRecord | undefined {
  const body = text.slice(text.indexOf(' ') + 1);
  if (!text.startsWith(`${digestOf(fingerprint + body)} `)) return undefined;
  return JSON.parse(body) as ActionRecord; // Its checksum says that formatChecked wrote it.
}
