import { readChecked, writeChecked } from '../util/files.ts';
import type { FileSystem } from '../util/file-system.ts';

/** A record that a pack holds. */
export interface PackedAction {
  readonly fingerprint: string;
  /** The rest of the action, as JSON. */
  readonly body: string;
}

/**
 * Copies of the records that one pipeline's last run used, in one file: a line each.
 *
 *     <fingerprint> TAB <what decides the outputs, as canonical JSON> TAB <the rest>
 *
 * A run that finds here what decides a step need not hash it to know its fingerprint. A copy is as good as the record:
 * the blobs that it names are verified as ever.
 */
export class ActionPack {
  readonly #fs: FileSystem;
  readonly #file: string;
  /** Lines of this run, by what decides the outputs. */
  readonly #used = new Map<string, string>();
  #loaded: Map<string, string> | undefined;
  #isDirty = false;

  constructor(fs: FileSystem, file: string) {
    this.#fs = fs;
    this.#file = file;
  }

  /** The record of a step that these facts decide, or undefined. */
  find(record: string): PackedAction | undefined {
    const line = this.#used.get(record) ?? this.#load().get(record);
    if (line === undefined) return undefined;
    this.#used.set(record, line);
    const [fingerprint = '', , body = ''] = line.split('\t');
    return { fingerprint, body };
  }

  add(record: string, { fingerprint, body }: PackedAction): void {
    const line = `${fingerprint}\t${record}\t${body}`;
    // The key is a part of the line, so that a long one is not kept twice.
    const start = fingerprint.length + 1;
    this.#used.set(line.slice(start, start + record.length), line);
    this.#isDirty = true;
  }

  #load(): ReadonlyMap<string, string> {
    if (this.#loaded !== undefined) return this.#loaded;
    const loaded = new Map<string, string>();
    for (const line of (readChecked(this.#fs, this.#file) ?? '').split('\n')) {
      const start = line.indexOf('\t') + 1;
      if (start > 0) loaded.set(line.slice(start, line.indexOf('\t', start)), line);
    }
    this.#loaded = loaded;
    return loaded;
  }

  /** Forgets everything, also what this run used: it is found again where it still is. */
  forget(): void {
    this.#used.clear();
    this.#loaded = new Map();
    this.#isDirty = true;
  }

  /** Writes what this run used, when it differs from the last; losing it costs time only. */
  save(): void {
    if (!this.#isDirty) return;
    let text = '';
    for (const line of this.#used.values()) text += `${line}\n`;
    writeChecked(this.#fs, this.#file, text);
    this.#isDirty = false;
  }
}
