import { dirname } from 'node:path';
import type { FileFacts, FileSystem, FolderEntry } from '../../src/util/file-system.ts';
import type { Random } from './random.ts';

/** The process that made a call is gone: nothing it does reaches the disk any more. */
export class Crash extends Error {}

interface Inode {
  readonly number: number;
  readonly kind: 'file' | 'folder';
  bytes: Uint8Array;
  /** What a power failure leaves; undefined until the first flush. */
  durable: Uint8Array | undefined;
  modifiedMs: number;
  changedMs: number;
  mode: number;
}

/** What may go wrong with a call of one process. */
export interface Faults {
  /** Called before each call that changes the disk; may throw, or say that a write is to be torn. */
  before(call: string, path: string): 'torn' | undefined;
}

const fail = (code: string, path: string): Error => Object.assign(new Error(`${code}: ${path}`), { code });
const nothing = new Uint8Array();

/** How finely the kernel tells times: two changes within a tick cannot be told apart. */
const tickMs = 4;

/** A disk in memory, shared by simulated processes, that loses what a real one may lose. */
export class Disk {
  #inodes = 1;
  readonly #nodes = new Map<string, Inode>([['/', this.#makeInode('folder')]]);
  readonly #names = new Map<string, Set<string>>([['/', new Set()]]);
  /** How to take back the changes of names that no flush has made durable, the newest last. */
  readonly #undo: (() => void)[] = [];
  readonly #handles = new Map<number, { readonly path: string; readonly inode: Inode; at: number }>();
  #handle = 3;
  /** Milliseconds since 1970. */
  now: () => number = () => 0;

  #makeInode(kind: Inode['kind']): Inode {
    return {
      number: this.#inodes++,
      kind,
      bytes: nothing,
      durable: undefined,
      modifiedMs: 0,
      changedMs: 0,
      mode: kind === 'file' ? 0o644 : 0o755,
    };
  }

  #touch(inode: Inode): void {
    const now = Math.floor(this.now() / tickMs) * tickMs;
    inode.changedMs = now;
    inode.modifiedMs = now;
  }

  #get(path: string): Inode {
    const inode = this.#nodes.get(path);
    if (inode === undefined) throw fail('ENOENT', path);
    return inode;
  }

  /** Gives an inode a name; what had it loses it. */
  #bind(path: string, inode: Inode): void {
    const folder = dirname(path);
    if (this.#nodes.get(folder)?.kind !== 'folder') throw fail('ENOENT', path);
    const before = this.#nodes.get(path);
    this.#nodes.set(path, inode);
    this.#names.get(folder)?.add(path);
    if (inode.kind === 'folder') this.#names.set(path, this.#names.get(path) ?? new Set());
    this.#undo.push(() => {
      if (before === undefined) this.#drop(path);
      else this.#nodes.set(path, before);
    });
  }

  /** Several changes that a power failure takes together or not at all. */
  #together(work: () => void): void {
    const mark = this.#undo.length;
    work();
    const parts = this.#undo.splice(mark);
    this.#undo.push(() => {
      for (const part of parts.reverse()) part();
    });
  }

  #drop(path: string): void {
    this.#nodes.delete(path);
    this.#names.get(dirname(path))?.delete(path);
    this.#names.delete(path);
  }

  #unbind(path: string): void {
    const inode = this.#get(path);
    this.#drop(path);
    this.#undo.push(() => {
      // The folder itself may have been taken back.
      if (this.#nodes.get(dirname(path))?.kind !== 'folder') return;
      this.#nodes.set(path, inode);
      this.#names.get(dirname(path))?.add(path);
      if (inode.kind === 'folder') this.#names.set(path, new Set());
    });
  }

  /** The machine loses power: what was not flushed is lost, torn, or kept, as it happens. */
  losePower(random: Random): void {
    for (let count = random.integer(this.#undo.length + 1); count > 0; count--) this.#undo.pop()?.();
    this.#undo.length = 0;
    this.#handles.clear();
    for (const inode of new Set(this.#nodes.values())) {
      if (inode.kind !== 'file' || inode.durable === inode.bytes) continue;
      const kept = inode.bytes.length;
      const states = [
        inode.bytes,
        inode.bytes.slice(0, random.integer(kept + 1)),
        // The size was written and the content was not: the times tell nothing.
        new Uint8Array(kept),
        inode.durable ?? nothing,
      ];
      inode.bytes = random.pick(states);
      inode.durable = inode.bytes;
    }
  }

  /** What a person or another program sees and does: no faults. */
  readonly hands = this.view({ before: () => undefined });

  /** Changes a file so that its size and modification time stay. */
  replaceSilently(path: string, change: (bytes: Uint8Array) => Uint8Array): void {
    const inode = this.#get(path);
    inode.bytes = change(inode.bytes);
    inode.changedMs = Math.floor(this.now() / tickMs) * tickMs;
  }

  /** Changes a file's bytes and nothing else, as a broken disk does. */
  corrupt(path: string, text: string): void {
    this.#get(path).bytes = new TextEncoder().encode(text);
  }

  /** Paths of all files, in order. */
  files(): readonly string[] {
    return [...this.#nodes].flatMap(([path, { kind }]) => (kind === 'file' ? [path] : [])).sort();
  }

  /** The disk as one process sees it. */
  view(faults: Faults): FileSystem {
    const facts = (inode: Inode): FileFacts => ({
      kind: inode.kind,
      sizeBytes: inode.bytes.length,
      modifiedMs: inode.modifiedMs,
      changedMs: inode.changedMs,
      inode: inode.number,
      isExecutable: (inode.mode & 0o100) !== 0,
    });
    const makeFolder = (path: string): void => {
      if (this.#nodes.has(path)) return;
      makeFolder(dirname(path));
      this.#bind(path, this.#makeInode('folder'));
    };
    const remove = (path: string): void => {
      if (!this.#nodes.has(path)) return;
      for (const name of this.#names.get(path) ?? []) remove(name);
      faults.before('remove', path);
      this.#unbind(path);
    };
    return {
      stat: (path) => {
        faults.before('look', path);
        const inode = this.#nodes.get(path);
        return inode === undefined ? undefined : facts(inode);
      },
      list: (folder) => {
        faults.before('look', folder);
        if (this.#get(folder).kind !== 'folder') throw fail('ENOTDIR', folder);
        return [...(this.#names.get(folder) ?? [])].map((path): FolderEntry => ({
          name: path.slice(path.lastIndexOf('/') + 1),
          kind: this.#get(path).kind,
        }));
      },
      glob: () => [],
      readBytes: (path) => {
        faults.before('look', path);
        return this.#get(path).bytes.slice();
      },
      readText: (path) => {
        faults.before('look', path);
        return Buffer.from(this.#get(path).bytes).toString();
      },
      open: (path, flags) => {
        faults.before('open', path);
        if (flags === 'wx' && this.#nodes.has(path)) throw fail('EEXIST', path);
        if (flags !== 'r' && !this.#nodes.has(path)) {
          const inode = this.#makeInode('file');
          this.#touch(inode);
          this.#bind(path, inode);
        }
        const inode = this.#get(path);
        this.#handles.set(++this.#handle, { path, inode, at: 0 });
        return this.#handle;
      },
      read: (handle, buffer) => {
        const open = this.#handles.get(handle);
        if (open === undefined) throw fail('EBADF', String(handle));
        const part = open.inode.bytes.subarray(open.at, open.at + buffer.length);
        buffer.set(part);
        open.at += part.length;
        return part.length;
      },
      write: (handle, bytes) => {
        const open = this.#handles.get(handle);
        if (open === undefined) throw fail('EBADF', String(handle));
        const isTorn = faults.before('write', open.path) === 'torn';
        const part = isTorn ? bytes.subarray(0, Math.floor(bytes.length / 2)) : bytes;
        open.inode.bytes = new Uint8Array(Buffer.concat([open.inode.bytes, part]));
        this.#touch(open.inode);
        if (isTorn) throw fail('ENOSPC', open.path);
      },
      close: (handle) => {
        this.#handles.delete(handle);
      },
      makeFolder: (path) => {
        faults.before('makeFolder', path);
        makeFolder(path);
      },
      rename: (from, to) => {
        faults.before('rename', to);
        const inode = this.#get(from);
        if (this.#nodes.get(to)?.kind === 'folder' && (this.#names.get(to)?.size ?? 0) > 0)
          throw fail('ENOTEMPTY', to);
        const below = [...this.#nodes.keys()].filter((path) => path.startsWith(`${from}/`)).sort();
        this.#together(() => {
          this.#bind(to, inode);
          for (const path of below) this.#bind(`${to}${path.slice(from.length)}`, this.#get(path));
          for (const path of below.reverse()) this.#unbind(path);
          this.#unbind(from);
        });
        inode.changedMs = Math.floor(this.now() / tickMs) * tickMs;
      },
      link: (from, to) => {
        faults.before('link', to);
        if (this.#nodes.has(to)) throw fail('EEXIST', to);
        const inode = this.#get(from);
        this.#bind(to, inode);
        inode.changedMs = Math.floor(this.now() / tickMs) * tickMs;
      },
      copy: (from, to) => {
        faults.before('copy', to);
        const source = this.#get(from);
        const inode = this.#nodes.get(to) ?? this.#makeInode('file');
        inode.bytes = source.bytes.slice();
        inode.mode = source.mode;
        this.#touch(inode);
        if (!this.#nodes.has(to)) this.#bind(to, inode);
      },
      setMode: (path, mode) => {
        faults.before('setMode', path);
        const inode = this.#get(path);
        inode.mode = mode;
        inode.changedMs = Math.floor(this.now() / tickMs) * tickMs;
      },
      touch: (path, modifiedMs) => {
        faults.before('touch', path);
        const inode = this.#get(path);
        inode.modifiedMs = modifiedMs;
        inode.changedMs = Math.floor(this.now() / tickMs) * tickMs;
      },
      unlink: (path) => {
        faults.before('unlink', path);
        this.#unbind(path);
      },
      removeFolder: (path) => {
        faults.before('removeFolder', path);
        if ((this.#names.get(path)?.size ?? 0) > 0) throw fail('ENOTEMPTY', path);
        this.#unbind(path);
      },
      remove,
      flush: (path) => {
        faults.before('flush', path);
        const inode = this.#get(path);
        inode.durable = inode.bytes;
        // A flush commits the journal: every change of names before it is durable as well.
        this.#undo.length = 0;
        return Promise.resolve();
      },
    };
  }
}
