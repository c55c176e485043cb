import { join } from 'node:path';
import type { Platform } from '../util/platform.ts';
import { readTextIfThere, writeFileAtomically } from '../util/files.ts';

/** A pipeline's name among files. */
export const fileNameOf = (pipelineFile: string): string => pipelineFile.replace(/[^A-Za-z0-9._-]+/g, '__');

/** The fingerprint with which each step of a pipeline last succeeded, to tell what changed since. */
export class LastRecords {
  readonly #fs: Platform['fs'];
  readonly #file: string;
  #fingerprints: Record<string, string> | undefined;
  #isDirty = false;

  constructor(storeDir: string, pipelineFile: string, { fs }: Platform) {
    this.#fs = fs;
    this.#file = join(storeDir, 'last', `${fileNameOf(pipelineFile)}.json`);
  }

  #load(): Record<string, string> {
    if (this.#fingerprints !== undefined) return this.#fingerprints;
    try {
      const text = readTextIfThere(this.#fs, this.#file) ?? '{}';
      this.#fingerprints = JSON.parse(text) as Record<string, string>; // Written by save.
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
    if (this.#isDirty) writeFileAtomically(this.#fs, this.#file, JSON.stringify(this.#load()));
    this.#isDirty = false;
  }
}
