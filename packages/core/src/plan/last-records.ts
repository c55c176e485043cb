import { join } from 'node:path';
import { readTextIfThere, writeFileAtomically } from '../util/files.ts';

/** The fingerprint with which each step of a pipeline last succeeded, to tell what changed since. */
export class LastRecords {
  readonly #file: string;
  #fingerprints: Record<string, string> | undefined;
  #isDirty = false;

  constructor(storeDir: string, pipelineFile: string) {
    this.#file = join(storeDir, 'last', `${pipelineFile.replace(/[^A-Za-z0-9._-]+/g, '__')}.json`);
  }

  #load(): Record<string, string> {
    if (this.#fingerprints !== undefined) return this.#fingerprints;
    try {
      this.#fingerprints = JSON.parse(readTextIfThere(this.#file) ?? '{}') as Record<string, string>; // Written by save.
    } catch {
      this.#fingerprints = {}; // Only reasons are lost.
    }
    return this.#fingerprints;
  }

  get(stepId: string): string | undefined {
    return this.#load()[stepId];
  }

  set(stepId: string, fingerprint: string): void {
    if (this.#load()[stepId] === fingerprint) return;
    this.#load()[stepId] = fingerprint;
    this.#isDirty = true;
  }

  save(): void {
    if (this.#isDirty) writeFileAtomically(this.#file, JSON.stringify(this.#load()));
    this.#isDirty = false;
  }
}
