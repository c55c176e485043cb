import { join } from 'node:path';
import { readTextIfThere, writeFileAtomically } from '../util/files.ts';

/** The file of a pipeline's last fingerprints. */
export function lastRecordsFile(storeDir: string, pipelineFile: string): string {
  return join(storeDir, 'last', `${pipelineFile.replace(/[^A-Za-z0-9._-]+/g, '__')}.json`);
}

/** Fingerprints by step, as such a file has them; what is damaged is left out. */
export function readLastRecords(file: string): Record<string, string> {
  try {
    const content: unknown = JSON.parse(readTextIfThere(file) ?? '{}');
    if (typeof content !== 'object' || content === null) return {};
    const isDigest = (value: unknown): boolean => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
    return Object.fromEntries(Object.entries(content).filter(([, value]) => isDigest(value)));
  } catch {
    return {}; // Only reasons are lost.
  }
}

/** The fingerprint with which each step of a pipeline last succeeded, to tell what changed since. */
export class LastRecords {
  readonly #file: string;
  #fingerprints: Record<string, string> | undefined;
  #isDirty = false;

  constructor(storeDir: string, pipelineFile: string) {
    this.#file = lastRecordsFile(storeDir, pipelineFile);
  }

  #load(): Record<string, string> {
    this.#fingerprints ??= readLastRecords(this.#file);
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
