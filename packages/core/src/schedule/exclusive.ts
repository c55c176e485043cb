import { randomUUID } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  fsyncSync,
  linkSync,
  openSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { dirname } from 'node:path';
import { codeOf } from '../util/files.ts';
import { readTextIfThere } from './disk.ts';
import { isProcessAlive, ownProcess } from '../util/processes.ts';

/** A process, so that it is never taken for a later one with its id. */
export interface ProcessMark {
  readonly process: string;
  /** This start of the machine; empty where the system does not tell. */
  readonly boot: string;
  readonly host: string;
}

let boot: string | undefined;

function ownBoot(): string {
  boot ??= (readTextIfThere('/proc/sys/kernel/random/boot_id') ?? '').trim();
  return boot;
}

/** The mark of this process. */
export const ownMark = (): ProcessMark => ({ process: ownProcess(), boot: ownBoot(), host: hostname() });

/** The id of a marked process. */
export const processIdOf = (mark: ProcessMark): number => Number(mark.process.split('-')[0]);

/** True while the marked process runs. One of another machine is believed to: nobody here can know better. */
export function isMarkAlive(mark: ProcessMark): boolean {
  if (mark.host !== hostname()) return true;
  return mark.boot === ownBoot() && isProcessAlive(mark.process);
}

const isNoLink = (code: string | undefined): boolean =>
  ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(code ?? '');

/** Waits until the names in a folder would outlast a power failure. */
export function syncFolder(dir: string): void {
  // Windows opens no folders; its file systems write names in order.
  if (process.platform === 'win32') return;
  const handle = openSync(dir, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Makes a file with all of its content at once, unless there is one: of several processes that try, one wins. */
export function createExclusively(file: string, content: string): boolean {
  const temporary = `${file}.${randomUUID()}.partial`;
  try {
    writeFileSync(temporary, content, { flush: true });
    link(temporary, file);
    syncFolder(dirname(file));
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(temporary, { force: true });
  }
}

function link(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (!isNoLink(codeOf(error))) throw error;
    // Some file systems have no hard links; a reader may then see the file before its content.
    copyFileSync(from, to, constants.COPYFILE_EXCL);
  }
}

/** The value of a JSON text of our own; undefined where it is not whole. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
