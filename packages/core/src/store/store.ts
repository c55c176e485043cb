import { join } from 'node:path';
import { formatCanonicalJson } from '../util/canonical-json.ts';
import { digestOf } from '../util/hash.ts';
import {
  codeOf,
  listFiles,
  makeUniqueName,
  partialNameOf,
  readTextIfThere,
  withFolderOf,
  writeFile,
  writeFileAtomically,
} from '../util/files.ts';
import type { Platform } from '../util/platform.ts';
import { realPlatform } from '../util/platform.ts';
import { ActionPack } from './action-pack.ts';
import { actionFile, formatAction, parseAction } from './action-record.ts';
import type { ActionRecord } from './action-record.ts';
import type { Artifact, ArtifactFile } from './artifact.ts';
import { Blobs, isExhaustion, isWorthFlushing } from './blobs.ts';
import type { IngestOptions, StoreDamage } from './blobs.ts';
import { putSafely } from './condemned.ts';
import { Flusher } from './flusher.ts';
import { StatCache } from './stat-cache.ts';

export type { ActionRecord } from './action-record.ts';
export { isWorthFlushing } from './blobs.ts';
export type { IngestOptions, StoreDamage } from './blobs.ts';

/** Files up to this size are put back from memory. */
const smallBytes = 1 << 16;

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
  readonly #blobs: Blobs;
  #pack: ActionPack | undefined;
  #recordBytes = 0;

  constructor(projectDir: string, platform: Platform = realPlatform) {
    this.dir = join(projectDir, '.joyul');
    this.#platform = platform;
    this.statCache = new StatCache(join(this.dir, 'stat-cache.tsv'), projectDir, platform);
    this.#flusher = new Flusher(platform.fs);
    const { dir, statCache } = this;
    this.#blobs = new Blobs({ storeDir: dir, statCache, platform, flusher: this.#flusher });
  }

  /** How much was added to the store. */
  get storedBytes(): number {
    return this.#recordBytes + this.#blobs.storedBytes;
  }

  #putSafely<T>(action: () => T): T {
    return putSafely(this.dir, action, this.#platform);
  }

  /** The text of one of an artifact's files; undefined where it is not there. */
  readText(artifact: Artifact, path: string): string | undefined {
    const file = artifact.files.find((item) => item.path === path);
    return file === undefined
      ? undefined
      : readTextIfThere(this.#platform.fs, this.#blobs.pathOf(file.digest));
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

  /** The folder of files that only save time, and that all steps share. */
  get sharedFolder(): string {
    return join(this.dir, 'shared');
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
    return this.#blobs.ingest(path, type, options);
  }

  /** The first file of an artifact that is missing or does not have its content any more; undefined when all is well. */
  findDamage(artifact: Artifact): StoreDamage | undefined {
    return this.#blobs.findDamage(artifact);
  }

  /** Removes a damaged blob, so that the step that makes it again puts a good one in its place. */
  discard(digest: string): void {
    this.#blobs.discard(digest);
  }

  /** A read-only folder (or file) with an artifact's content, made of links to the store's blobs. */
  materialize(artifact: Artifact): string {
    const target = join(this.dir, 'artifacts', artifact.digest);
    if (this.#isMaterialized(artifact, target) && this.#claimFolder(target)) return target;
    const work = this.makeWorkFolder();
    for (const file of artifact.files) this.#place(file, join(work, nameInFolder(file)));
    this.#putSafely(() => {
      this.#replaceFolder(work, target, artifact);
    });
    return target;
  }

  #claimFolder(folder: string): boolean {
    const { fs, clock } = this.#platform;
    return this.#putSafely(() => {
      try {
        fs.touch(folder, clock.now());
        return true;
      } catch {
        return false;
      }
    });
  }

  /** Moves a folder into its place; a good one that another process made meanwhile stays, since a step may be reading it. */
  #replaceFolder(work: string, target: string, artifact: Artifact): void {
    const { fs } = this.#platform;
    try {
      withFolderOf(fs, target, () => fs.rename(work, target));
      return;
    } catch (error) {
      if (fs.stat(target) === undefined) throw error;
    }
    if (this.#isMaterialized(artifact, target)) {
      fs.remove(work);
      return;
    }
    const old = this.makeWorkFolder();
    fs.rename(target, join(old, 'old'));
    fs.rename(work, target);
    fs.remove(old);
  }

  #isMaterialized(artifact: Artifact, target: string): boolean {
    const { fs } = this.#platform;
    try {
      const names = listFiles(fs, target);
      if (names.length !== artifact.files.length) return false;
      return artifact.files.every((file, index) => {
        const path = join(target, nameInFolder(file));
        const facts = fs.stat(path);
        return (
          facts?.kind === 'file' &&
          names[index] === nameInFolder(file) &&
          (!file.isExecutable || facts.isExecutable) &&
          this.statCache.digest(path, facts) === file.digest
        );
      });
    } catch {
      return false; // It is not there or cannot be read, and is made anew.
    }
  }

  #place(file: ArtifactFile, target: string): void {
    const { fs } = this.#platform;
    const blob = this.#blobs.pathOf(file.digest);
    // A linked file shares its mode with the blob, which is not executable.
    if (file.isExecutable) {
      withFolderOf(fs, target, () => fs.copy(blob, target));
      fs.setMode(target, 0o555);
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
      return artifact.files.length === 1 && first?.path === '' && this.#isSame(path, first);
    const names = listFiles(fs, path);
    if (names.length !== artifact.files.length) return false;
    return artifact.files.every(
      (file, index) => names[index] === file.path && this.#isSame(join(path, file.path), file),
    );
  }

  #isSame(path: string, { digest, isExecutable }: ArtifactFile): boolean {
    const facts = this.#platform.fs.stat(path);
    return (
      facts?.kind === 'file' &&
      facts.isExecutable === isExecutable &&
      this.statCache.digest(path, facts) === digest
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
        const mode = file.isExecutable ? 0o755 : 0o644;
        const blob = this.#blobs.pathOf(file.digest);
        // Written, a small file takes half the time of a copy.
        if (file.sizeBytes <= smallBytes) {
          const bytes = fs.readBytes(blob);
          if (digestOf(bytes) !== file.digest) throw new Error(`Internal error: ${blob} was not looked at.`);
          writeFile(fs, target, bytes, mode);
        } else {
          withFolderOf(fs, target, () => fs.copy(blob, target));
          fs.setMode(target, mode);
        }
      }
      // A file is replaced in one move; a folder cannot be.
      if (!isFile || fs.stat(path)?.kind === 'folder') fs.remove(path);
      fs.rename(work, path);
    } catch (error) {
      fs.remove(work);
      throw error;
    }
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
      const text = readTextIfThere(this.#platform.fs, actionFile(this.dir, fingerprint));
      return text === undefined ? 'missing' : (parseAction(fingerprint, text) ?? 'damaged');
    } catch (error) {
      if (isExhaustion(error)) throw error;
      return 'unreadable';
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
    const file = actionFile(this.dir, fingerprint);
    const text = formatAction(fingerprint, action);
    writeFileAtomically(this.#platform.fs, file, text);
    this.#recordBytes += text.length;
    if (isWorthFlushing(action.durationMs)) this.#flusher.add(file);
    this.#pack?.add(formatCanonicalJson(action.record), { fingerprint, body: formatPacked(action) });
  }

  /** Reads the records of one pipeline's last run in one go; thousands of files take longer than one. */
  usePack(name: string): void {
    this.#pack = new ActionPack(this.#platform.fs, join(this.dir, 'last', `${name}.actions`));
  }

  /** Forgets the copies of records: a clean-up may have taken away what they say. */
  forgetPack(): void {
    this.#pack?.forget();
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
