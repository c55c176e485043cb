import { readTextIfThere, writeFileAtomically } from '../util/files.ts';
import type { FileSystem } from '../util/file-system.ts';

/**
 * Copies of the records that one pipeline's last run used, in one file: a line each.
 *
 *     <fingerprint> TAB <record as it is stored>
 *
 * A copy is as good as the record: it carries the same digest, and the blobs that it names are verified as ever.
 */
export class ActionPack {
  readonly #fs: FileSystem;
  readonly #file: string;
  readonly #used = new Map<string, string>();
  #loaded: Map<string, string> | undefined;
  #isDirty = false;

  constructor(fs: FileSystem, file: string) {
    this.#fs = fs;
    this.#file = file;
  }

  get(fingerprint: string): string | undefined {
    const text = this.#used.get(fingerprint) ?? this.#load().get(fingerprint);
    if (text !== undefined) this.#used.set(fingerprint, text);
    return text;
  }

  set(fingerprint: string, text: string): void {
    this.#used.set(fingerprint, text);
    this.#isDirty = true;
  }

  #load(): ReadonlyMap<string, string> {
    if (this.#loaded !== undefined) return this.#loaded;
    const loaded = new Map<string, string>();
    const text = readTextIfThere(this.#fs, this.#file) ?? '';
    for (let start = 0; start < text.length;) {
      const tab = text.indexOf('\t', start);
      const end = text.indexOf('\n', tab);
      // A last line without an end was torn.
      if (tab === -1 || end === -1) break;
      loaded.set(text.slice(start, tab), text.slice(tab + 1, end));
      start = end + 1;
    }
    this.#loaded = loaded;
    return loaded;
  }

  /** Writes what this run used, when it differs from the last; losing it costs time only. */
  save(): void {
    if (!this.#isDirty) return;
    let text = '';
    for (const [fingerprint, record] of this.#used) text += `${fingerprint}\t${record}\n`;
    writeFileAtomically(this.#fs, this.#file, text);
    this.#isDirty = false;
  }
}
