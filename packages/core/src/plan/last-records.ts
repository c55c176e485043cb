import { join } from 'node:path';
import { nodeFileSystem } from '../util/file-system.ts';
import type { Platform } from '../util/platform.ts';
import { readTextIfThere, writeFileAtomically } from '../util/files.ts';

/** A pipeline's name among files. */
export const fileNameOf = (pipelineFile: string): string => pipelineFile.replace(/[^A-Za-z0-9._-]+/g, '__');

/** The file of a pipeline's last fingerprints. */
export const lastRecordsFile = (storeDir: string, pipelineFile: string): string =>
  join(storeDir, 'last', `${fileNameOf(pipelineFile)}.json`);

/** Fingerprints by step, as such a file has them; what is damaged is left out. */
export function readLastRecords(file: string, fs: Platform['fs'] = nodeFileSystem): Record<string, string> {
  try {
    const content: unknown = JSON.parse(readTextIfThere(fs, file) ?? '{}');
    if (typeof content !== 'object' || content === null) return {};
    const isDigest = (value: unknown): boolean => typeof value === 'string' && /^[0-9a-f]{64}$/.test(value);
    return Object.fromEntries(Object.entries(content).filter(([, value]) => isDigest(value)));
  } catch {
    return {}; // Only reasons are lost.
  }
}

/** The fingerprint with which each step of a pipeline last succeeded, to tell what changed since. */
export class LastRecords {
  readonly #fs: Platform['fs'];
  readonly #file: string;
  #fingerprints: Record<string, string> | undefined;
  #isDirty = false;

  constructor(storeDir: string, pipelineFile: string, { fs }: Platform) {
    this.#fs = fs;
    this.#file = lastRecordsFile(storeDir, pipelineFile);
  }

  #load(): Record<string, string> {
    this.#fingerprints ??= readLastRecords(this.#file, this.#fs);
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
