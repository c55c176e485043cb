import { join } from 'node:path';
import { codeOf, withFolderOf } from '../util/files.ts';
import type { Platform } from '../util/platform.ts';

/** A right that one process holds at a time: to compute a fingerprint, or to write a path of the project. */
export interface Reservation {
  release(): void;
}

/** How often a reservation that another process holds is looked at again, growing from the first to the second. */
const pollMs = { first: 10, last: 250 } as const;

let count = 0;

/** Length that the keys in one ticket's name may have: file systems take 255 bytes. */
const maxKeysLength = 180;

/** Keys joined to names of tickets, as few as they fit in. */
function joinKeys(keys: readonly string[]): readonly string[] {
  const names: string[] = [];
  for (const key of keys) {
    const last = names.at(-1);
    if (last === undefined || last.length + key.length >= maxKeysLength) names.push(key);
    else names[names.length - 1] = `${last}+${key}`;
  }
  return names;
}

/**
 * Reservations are tickets: empty files whose names say what is reserved and by which process.
 *
 *     reservations/<key>+<key>.<process>.<number>
 *
 * To reserve, a process looks for tickets of others, makes its own, and looks again; when it then finds another
 * living ticket with one of its keys it takes its own back and waits. Two processes cannot both hold a key: of two that
 * made their tickets, the one that looked later saw both. A ticket exists whole or not at all, so that a full disk or a
 * crash leaves none without an owner, and one of a dead process counts for nothing: there is nothing to unlock by hand.
 */
export class Reservations {
  readonly #dir: string;
  readonly #platform: Platform;
  /** Tickets of this process that stand for nothing: giving one another name is faster than making one. */
  readonly #spare: string[] = [];
  /** Dead processes of which nothing runs any more. */
  readonly #ended = new Set<string>();

  constructor(storeDir: string, platform: Platform) {
    this.#dir = join(storeDir, 'reservations');
    this.#platform = platform;
  }

  /** Holds all of the keys, or none of them and gives undefined when another live process holds one. */
  try(keys: readonly string[]): Reservation | undefined {
    if (this.#isHeld(keys, [])) return undefined;
    const { own } = this.#platform.processes;
    const tickets: string[] = [];
    const release = (): void => {
      for (const ticket of tickets.splice(0)) this.#lay(ticket);
    };
    try {
      for (const name of joinKeys(keys)) {
        const ticket = `${name}.${own}.${count++}`;
        this.#make(ticket);
        tickets.push(ticket);
      }
      if (!this.#isHeld(keys, tickets)) return { release };
    } catch (error) {
      release();
      throw error;
    }
    release();
    return undefined;
  }

  /** Waits until no other live process holds any of the keys, then holds all of them; undefined when cancelled. */
  async wait(keys: readonly string[], signal: AbortSignal): Promise<Reservation | undefined> {
    const { clock, random } = this.#platform;
    for (let attempt = 0; ; attempt++) {
      if (signal.aborted) return undefined;
      const reservation = this.try(keys);
      if (reservation !== undefined) return reservation;
      const delayMs = Math.min(pollMs.first * 2 ** attempt, pollMs.last);
      // Two that saw each other must not look again at the same moment.
      await clock.sleep(delayMs * (0.5 + random()), signal);
    }
  }

  #make(ticket: string): void {
    const { fs } = this.#platform;
    const file = join(this.#dir, ticket);
    const spare = this.#spare.pop();
    if (spare === undefined) fs.close(withFolderOf(fs, file, () => fs.open(file, 'wx')));
    else fs.rename(join(this.#dir, spare), file);
  }

  /** Takes a ticket out of use. */
  #lay(ticket: string): void {
    const spare = `spare.${this.#platform.processes.own}.${count++}`;
    this.#platform.fs.rename(join(this.#dir, ticket), join(this.#dir, spare));
    this.#spare.push(spare);
  }

  /** Removes what this process is done with. */
  close(): void {
    for (const spare of this.#spare.splice(0)) this.#remove(spare);
  }

  #remove(ticket: string): void {
    try {
      this.#platform.fs.unlink(join(this.#dir, ticket));
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }

  /** True when a living process holds one of the keys by a ticket other than `own`; those of dead ones are cleared away. */
  #isHeld(keys: readonly string[], own: readonly string[]): boolean {
    const { processes } = this.#platform;
    for (const ticket of this.#list()) {
      if (own.includes(ticket)) continue;
      const [names = '', owner = ''] = ticket.split('.');
      const isWanted = names.split('+').some((key) => keys.includes(key));
      // Spare tickets are in nobody's way; those of dead processes are cleared away with the others.
      if (!isWanted && names !== 'spare') continue;
      if (processes.isAlive(owner)) {
        if (isWanted) return true;
        continue;
      }
      this.#bury(owner, ticket);
    }
    return false;
  }

  /** Clears away what dead processes left, and ends what they started, whatever this one is going to reserve. */
  clearDead(): void {
    for (const ticket of this.#list()) {
      const [, owner = ''] = ticket.split('.');
      if (!this.#platform.processes.isAlive(owner)) this.#bury(owner, ticket);
    }
  }

  /** A ticket goes only when nothing that its owner started runs any more. */
  #bury(owner: string, ticket: string): void {
    if (!this.#ended.has(owner)) this.#platform.processes.endOrphans(owner);
    this.#ended.add(owner);
    this.#remove(ticket);
  }

  #list(): readonly string[] {
    try {
      return this.#platform.fs.list(this.#dir).map(({ name }) => name);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return [];
      throw error;
    }
  }
}
