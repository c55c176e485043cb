import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  fsync,
  globSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  readdirSync,
  renameSync,
  rmSync,
  rmdirSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { join, relative, sep } from 'node:path';

/** What is known of a file without reading it. */
export interface FileFacts {
  readonly kind: 'file' | 'folder' | 'other';
  readonly sizeBytes: number;
  /** When the content was last changed, as programs may also set it. */
  readonly modifiedMs: number;
  /** When content or metadata was last changed; only the kernel sets it, by its own clock. */
  readonly changedMs: number;
  readonly inode: number;
  readonly isExecutable: boolean;
}

/** One name in a folder. */
export interface FolderEntry {
  readonly name: string;
  readonly kind: FileFacts['kind'];
}

/** All that the engine asks of a disk. Errors carry the codes of Node, such as ENOENT. */
export interface FileSystem {
  /** Undefined where there is nothing. Links are followed. */
  stat(path: string): FileFacts | undefined;
  /** In no particular order. */
  list(folder: string): readonly FolderEntry[];
  /** Files that fit a pattern, relative to the folder. */
  glob(pattern: string, folder: string): readonly string[];
  readBytes(path: string): Uint8Array;
  /** As UTF-8. */
  readText(path: string): string;
  /** With `wx` the file must not be there yet; it then gets the mode, less what the user's mask takes away. */
  open(path: string, flags: 'r' | 'a' | 'wx', mode?: number): number;
  /** Fills the buffer from where the last read ended; gives the number of bytes, 0 at the end. */
  read(handle: number, buffer: Uint8Array): number;
  /** Writes all of it, or throws. */
  write(handle: number, bytes: Uint8Array): void;
  close(handle: number): void;
  /** Makes a folder and those above it. */
  makeFolder(path: string): void;
  /** Replaces a file that is there. */
  rename(from: string, to: string): void;
  /** A second name for the same file. */
  link(from: string, to: string): void;
  copy(from: string, to: string): void;
  setMode(path: string, mode: number): void;
  /** Sets a file's or folder's times: read now, changed at the time given. */
  touch(path: string, modifiedMs: number): void;
  /** Removes one file; ENOENT where there is none. */
  unlink(path: string): void;
  /** Removes an empty folder; ENOTEMPTY where it is not. */
  removeFolder(path: string): void;
  /** Removes a file or a folder with all in it; nothing happens where there is none. */
  remove(path: string): void;
  /** Waits until a file's content would outlast a power failure. */
  flush(path: string): Promise<void>;
}

const kindOf = (entry: { isFile: () => boolean; isDirectory: () => boolean }): FileFacts['kind'] =>
  entry.isFile() ? 'file' : entry.isDirectory() ? 'folder' : 'other';

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;

/** The disk of this machine. */
export const nodeFileSystem: FileSystem = {
  stat(path) {
    const stats = statSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    return {
      kind: kindOf(stats),
      sizeBytes: stats.size,
      modifiedMs: stats.mtimeMs,
      changedMs: stats.ctimeMs,
      inode: stats.ino,
      isExecutable: (stats.mode & 0o100) !== 0,
    };
  },
  list: (folder) =>
    readdirSync(folder, { withFileTypes: true }).map((entry) => ({ name: entry.name, kind: kindOf(entry) })),
  glob: (pattern, folder) =>
    globSync(pattern, { cwd: folder, withFileTypes: true })
      .filter(
        (entry) => entry.isFile() || (entry.isSymbolicLink() && isFile(join(entry.parentPath, entry.name))),
      )
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/')),
  readBytes: (path) => readFileSync(path),
  readText: (path) => readFileSync(path, 'utf8'),
  open: (path, flags, mode) => openSync(path, flags, mode),
  read: (handle, buffer) => readSync(handle, buffer),
  write(handle, bytes) {
    for (let at = 0; at < bytes.length;) at += writeSync(handle, bytes, at);
  },
  close(handle) {
    closeSync(handle);
  },
  makeFolder(path) {
    mkdirSync(path, { recursive: true });
  },
  rename(from, to) {
    renameSync(from, to);
  },
  link(from, to) {
    linkSync(from, to);
  },
  copy(from, to) {
    // Where the disk can, the copy shares its blocks until one of the two is changed.
    copyFileSync(from, to, constants.COPYFILE_FICLONE);
  },
  setMode(path, mode) {
    chmodSync(path, mode);
  },
  touch(path, modifiedMs) {
    utimesSync(path, Date.now() / 1000, modifiedMs / 1000);
  },
  unlink(path) {
    unlinkSync(path);
  },
  removeFolder(path) {
    rmdirSync(path);
  },
  remove(path) {
    rmSync(path, { recursive: true, force: true });
  },
  async flush(path) {
    const handle = openSync(path, 'r');
    try {
      await new Promise<void>((resolve, reject) => {
        fsync(handle, (error) => {
          if (error === null) resolve();
          else reject(error);
        });
      });
    } finally {
      closeSync(handle);
    }
  },
};
