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

/**
 * Reservations are tickets: empty files whose names say what is reserved and by which process.
 *
 *     reservations/<key>.<process>.<number>
 *
 * To reserve, a process looks for tickets of others, makes its own, and looks again; when it then finds another
 * living ticket it takes its own back and waits. Two processes cannot both hold a key: of two that made their tickets,
 * the one that looked later saw both. A ticket exists whole or not at all, so that a full disk or a crash leaves
 * none without an owner, and one of a dead process counts for nothing: there is nothing to unlock by hand.
 */
export class Reservations {
  readonly #dir: string;
  readonly #platform: Platform;

  constructor(storeDir: string, platform: Platform) {
    this.#dir = join(storeDir, 'reservations');
    this.#platform = platform;
  }

  /** Holds all of the keys, or none of them and gives undefined when another live process holds one. */
  try(keys: readonly string[]): Reservation | undefined {
    const held: string[] = [];
    const release = (): void => {
      for (const ticket of held.splice(0)) this.#remove(ticket);
    };
    try {
      for (const key of keys) {
        if (this.#isHeld(key)) break;
        const ticket = `${key}.${this.#platform.processes.own}.${count++}`;
        held.push(ticket);
        this.#make(ticket);
        if (this.#isHeld(key, ticket)) break;
        if (held.length === keys.length) return { release };
      }
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
    fs.close(withFolderOf(fs, file, () => fs.open(file, 'wx')));
  }

  #remove(ticket: string): void {
    try {
      this.#platform.fs.unlink(join(this.#dir, ticket));
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
  }

  /** True when a living process holds a key by a ticket other than `own`; tickets of dead ones are cleared away. */
  #isHeld(key: string, own?: string): boolean {
    const { processes } = this.#platform;
    for (const ticket of this.#list()) {
      if (!ticket.startsWith(`${key}.`) || ticket === own) continue;
      const owner = ticket.slice(key.length + 1, ticket.lastIndexOf('.'));
      if (processes.isAlive(owner)) return true;
      processes.endOrphans(owner);
      this.#remove(ticket);
    }
    return false;
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
