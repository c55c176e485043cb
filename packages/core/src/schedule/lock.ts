import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isOlderThan, readTextIfThere, writeFileAtomically } from './disk.ts';
import type { ProcessMark } from './exclusive.ts';
import { createExclusively, isMarkAlive, ownMark, parseJson } from './exclusive.ts';

/** Who has the right to change the state of a project's schedules. */
export interface LockHolder extends ProcessMark {
  /** A scheduler holds it for its life, a command for a moment. */
  readonly role: 'scheduler' | 'command';
  readonly sinceMs: number;
  readonly isReleased?: true;
}

/** How long a file may be without its content where links are not to be had. */
const namelessMs = 2000;

/**
 * The right to change the state of a project's schedules: one process at a time has it.
 *
 * It is a row of files, `lock.1`, `lock.2`, ...: the highest one counts. A number is taken by making its file, which
 * only one process can, and only when the one before it was released or its owner is dead. No file is ever removed
 * that may still count, so that two processes that find the same dead owner cannot both take over.
 */
export class SchedulerLock {
  readonly #dir: string;
  readonly #number: number;
  readonly #holder: LockHolder;

  private constructor(dir: string, number: number, holder: LockHolder) {
    this.#dir = dir;
    this.#number = number;
    this.#holder = holder;
  }

  /** Takes the lock, or says who has it. */
  static take(dir: string, role: LockHolder['role']): SchedulerLock | LockHolder {
    mkdirSync(dir, { recursive: true });
    for (;;) {
      const newest = findNewest(dir);
      const holder = readHolder(dir, newest);
      if (holder !== undefined) return holder;
      const mine: LockHolder = { ...ownMark(), role, sinceMs: Date.now() };
      const number = newest + 1;
      if (!createExclusively(fileOf(dir, number), JSON.stringify(mine))) continue;
      const lock = new SchedulerLock(dir, number, mine);
      // Somebody may have taken and released the number while we looked: then a higher one counts.
      if (lock.isHeld()) {
        removeOlder(dir, number);
        return lock;
      }
      rmSync(fileOf(dir, number), { force: true });
    }
  }

  /** Who has the lock now; undefined where nobody does. */
  static findHolder(dir: string): LockHolder | undefined {
    return readHolder(dir, findNewest(dir));
  }

  /** False once somebody removed the files, or took over. */
  isHeld(): boolean {
    return (
      findNewest(this.#dir) === this.#number &&
      readTextIfThere(fileOf(this.#dir, this.#number)) === JSON.stringify(this.#holder)
    );
  }

  release(): void {
    if (!this.isHeld()) return;
    const released: LockHolder = { ...this.#holder, isReleased: true };
    writeFileAtomically(fileOf(this.#dir, this.#number), JSON.stringify(released));
  }
}

const fileOf = (dir: string, number: number): string => join(dir, `lock.${number}`);

function listNumbers(dir: string): readonly number[] {
  try {
    return readdirSync(dir).flatMap((name) => {
      const match = /^lock\.(\d+)$/.exec(name);
      return match === null ? [] : [Number(match[1])];
    });
  } catch {
    return []; // The folder is not there yet.
  }
}

const findNewest = (dir: string): number => Math.max(0, ...listNumbers(dir));

/** The living owner of a number; undefined where it may be taken over. */
function readHolder(dir: string, number: number): LockHolder | undefined {
  if (number === 0) return undefined;
  const file = fileOf(dir, number);
  const text = readTextIfThere(file);
  if (text === undefined) return undefined;
  const holder = parseJson(text) as LockHolder | undefined; // Our own format.
  if (holder === undefined)
    // Its owner is about to write it, or died before it could.
    return isOlderThan(file, namelessMs)
      ? undefined
      : { process: '', boot: '', host: '', role: 'command', sinceMs: Date.now() };
  return holder.isReleased === true || !isMarkAlive(holder) ? undefined : holder;
}

function removeOlder(dir: string, number: number): void {
  for (const older of listNumbers(dir)) if (older < number) rmSync(fileOf(dir, older), { force: true });
}
