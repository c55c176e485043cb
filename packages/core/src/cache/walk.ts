import { join } from 'node:path';
import { codeOf } from '../util/files.ts';
import { lstatSync, readdirSync } from './file-calls.ts';

/** One file or folder as the store's care sees it. */
export interface Found {
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
  /** When its content, name or links last changed. */
  readonly changedMs: number;
  readonly modifiedMs: number;
  /** How many names it has. */
  readonly links: number;
  readonly isFolder: boolean;
  /** Its place on the disk, more or less: removing in this order is several times as fast as in any other. */
  readonly inode: number;
}

/** Names in a folder; none where there is none. What may not be read is told to `onRefused`. */
export function listNames(dir: string, onRefused?: (path: string) => void): readonly string[] {
  try {
    return readdirSync(dir);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    if (onRefused === undefined || (code !== 'EACCES' && code !== 'EPERM')) throw error;
    onRefused(dir);
    return [];
  }
}

/** What a path is now; undefined where there is nothing, or where it may not be looked at. */
export function look(path: string, name: string): Found | undefined {
  let stats;
  try {
    stats = lstatSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
  if (stats === undefined) return undefined;
  return {
    name,
    path,
    sizeBytes: stats.size,
    changedMs: stats.ctimeMs,
    modifiedMs: stats.mtimeMs,
    links: stats.nlink,
    isFolder: stats.isDirectory(),
    inode: stats.ino,
  };
}

/** A folder with all that is in it: the size of its files, and the newest change. */
export interface FoundFolder extends Found {
  readonly files: number;
}

/** Looks at a folder as a whole; files that have other names too count nothing when `isShared` is true. */
export function measureFolder(path: string, name: string, isShared = false): FoundFolder | undefined {
  const own = look(path, name);
  if (own === undefined) return undefined;
  if (!own.isFolder) return { ...own, files: 1 };
  let [sizeBytes, files, changedMs, modifiedMs] = [0, 0, own.changedMs, own.modifiedMs];
  for (const child of listNames(path, () => undefined)) {
    const inner = measureFolder(join(path, child), child, isShared);
    if (inner === undefined) continue;
    if (!isShared || inner.isFolder || inner.links === 1) sizeBytes += inner.sizeBytes;
    files += inner.files;
    changedMs = Math.max(changedMs, inner.changedMs);
    modifiedMs = Math.max(modifiedMs, inner.modifiedMs);
  }
  return { ...own, sizeBytes, files, changedMs, modifiedMs };
}
