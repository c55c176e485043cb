import { join } from 'node:path';
import { formatCanonicalJson } from '../util/canonical-json.ts';
import { codeOf, withFolderOf } from '../util/files.ts';
import { digestOf } from '../util/hash.ts';
import type { Platform } from '../util/platform.ts';
import { actionFile } from './action-record.ts';
import type { ActionRecord } from './action-record.ts';
import type { Artifact } from './artifact.ts';
import type { Store, StoreDamage } from './store.ts';

/** Where states are noted. */
export const prefixesDir = (storeDir: string): string => join(storeDir, 'prefixes');

/** Extent and fingerprint from a note's name; undefined for other names. */
export function parsePrefixNote(
  name: string,
): { readonly extent: number; readonly fingerprint: string } | undefined {
  const match = /^(\d{1,16})\.([0-9a-f]{64})$/.exec(name);
  return match === null ? undefined : { extent: Number(match[1]), fingerprint: match[2] ?? '' };
}

/** What a shorter run left. */
export interface FoundPrefix {
  readonly extent: number;
  readonly runId: string;
  /** The result of the step in that run. */
  readonly fingerprint: string;
  /** A read-only folder with the state; absent where only the run itself was asked for. */
  readonly dir?: string;
}

/** What is looked for. */
export interface PrefixSearch {
  /** Everything that decides the work up to any extent. */
  readonly work: unknown;
  /** Both bounds are left out. */
  readonly above: number;
  readonly below: number;
  /** False where it is enough to know that there was such a run. */
  readonly needsState: boolean;
  /** Told a state that cannot be used, which is removed. */
  readonly onDamage: (extent: number, damage: StoreDamage) => void;
}

/** What a run leaves. */
export interface KeptPrefix {
  readonly work: unknown;
  readonly extent: number;
  /** Absent where a longer run could not go on from it. */
  readonly state?: Artifact;
  readonly fingerprint: string;
  readonly durationMs: number;
}

/**
 * States that runs of steps leave, from which runs that are asked for more go on.
 *
 *     prefixes/<digest of what decides the work>/<extent>.<fingerprint of the state's record>
 *
 * A state is a stored result like any other, with a record of its own: it is verified, cleaned up and protected as they
 * are. What lies in `prefixes` are empty files that only say where to look: one too many or too few costs time.
 */
export class Prefixes {
  readonly #store: Store;
  readonly #platform: Platform;
  readonly #runId: string;
  readonly #hold: (fingerprint: string) => void;

  constructor(parts: {
    readonly store: Store;
    readonly platform: Platform;
    readonly runId: string;
    /** Told the stored results that the run relies on. */
    readonly hold: (fingerprint: string) => void;
  }) {
    this.#store = parts.store;
    this.#platform = parts.platform;
    this.#runId = parts.runId;
    this.#hold = parts.hold;
  }

  #folderOf(work: unknown): string {
    return join(prefixesDir(this.#store.dir), digestOf(formatCanonicalJson(work)));
  }

  #list(folder: string): readonly string[] {
    try {
      return this.#platform.fs.list(folder).map(({ name }) => name);
    } catch {
      return []; // Where it is not there, or may not be looked at, there is nothing to go on from.
    }
  }

  /** The longest whole state within the bounds. */
  find(search: PrefixSearch): FoundPrefix | undefined {
    const folder = this.#folderOf(search.work);
    const notes = this.#list(folder)
      .flatMap((name) => parsePrefixNote(name) ?? [])
      .filter(({ extent }) => extent > search.above && extent < search.below)
      .sort((left, right) => right.extent - left.extent);
    for (const note of notes) {
      const found = this.#open(note, search);
      if (found === undefined) continue;
      if (!('reason' in found)) return found;
      search.onDamage(note.extent, found);
      this.#drop(join(folder, `${note.extent}.${note.fingerprint}`), note.fingerprint, found);
    }
    return undefined;
  }

  #open(
    { extent, fingerprint }: { readonly extent: number; readonly fingerprint: string },
    { work, needsState }: PrefixSearch,
  ): FoundPrefix | StoreDamage | undefined {
    // A note under a wrong name must not lead to another's state.
    if (fingerprint !== digestOf(formatCanonicalJson({ ...toObject(work), extent }))) return undefined;
    const action = this.#store.readAction(fingerprint);
    if (action?.leftBy === undefined) {
      // A record that is not there any more was cleaned up.
      const reason = this.#store.findRecordDamage(fingerprint);
      return reason === undefined ? undefined : { digest: fingerprint, reason };
    }
    if (!needsState) return { extent, ...action.leftBy };
    const state = action.outputs['state'];
    if (state === undefined) return undefined;
    const damage = this.#store.findDamage(state);
    if (damage !== undefined) return damage;
    this.#hold(fingerprint);
    this.#markUsed(fingerprint);
    return { extent, ...action.leftBy, dir: this.#store.materialize(state) };
  }

  /** Clean-ups go by the time of a record when no run's events name it. */
  #markUsed(fingerprint: string): void {
    try {
      this.#platform.fs.touch(actionFile(this.#store.dir, fingerprint), this.#platform.clock.now());
    } catch {
      // It only seems to be used less recently.
    }
  }

  #drop(note: string, fingerprint: string, damage: StoreDamage): void {
    const { fs } = this.#platform;
    fs.remove(note);
    fs.remove(actionFile(this.#store.dir, fingerprint));
    if (damage.digest !== fingerprint) this.#store.discard(damage.digest);
  }

  /** Keeps what this run leaves. */
  keep({ work, extent, state, fingerprint, durationMs }: KeptPrefix): void {
    const { fs } = this.#platform;
    const record = { ...toObject(work), extent };
    const action: ActionRecord = {
      version: 1,
      record,
      outputs: state === undefined ? {} : { state },
      kept: [],
      durationMs,
      leftBy: { runId: this.#runId, fingerprint },
    };
    const own = digestOf(formatCanonicalJson(record));
    this.#store.writeAction(own, action);
    // Only now: until the record is there, there is nothing to find.
    const note = join(this.#folderOf(work), `${extent}.${own}`);
    try {
      fs.close(withFolderOf(fs, note, () => fs.open(note, 'wx')));
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
  }
}

const toObject = (work: unknown): object => {
  if (typeof work !== 'object' || work === null)
    throw new Error('Internal error: what decides a step is an object.');
  return work;
};
