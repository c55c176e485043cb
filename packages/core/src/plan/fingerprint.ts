import { join } from 'node:path';
import type { Backend } from '@joyul/plugin-api';
import type { GraphStep } from '../graph/graph.ts';
import { localName } from '../graph/step-id.ts';
import type { StatCache } from '../store/stat-cache.ts';
import { formatCanonicalJson } from '../util/canonical-json.ts';
import { digestOf } from '../util/hash.ts';
import type { FileSystem } from '../util/file-system.ts';
import { listFiles } from '../util/files.ts';

/** Raise it when the record's meaning changes: every fingerprint then differs. */
export const formatVersion = 1;

/**
 * Everything that decides a step's outputs, and nothing else.
 *
 * Left out on purpose: times, host, user, absolute paths, resources, retries, timeouts, log level and the
 * step's place in the pipeline: they may change how a step runs, never what it gives.
 */
export interface FingerprintRecord {
  readonly formatVersion: number;
  readonly plugin: string;
  readonly revision: number;
  readonly pluginVersion: string;
  readonly pluginCode: string;
  readonly params: unknown;
  /** Digests of what each input port is given. */
  readonly inputs: Readonly<Record<string, readonly string[]>>;
  /** Digests of the declared files of the project, by path. */
  readonly files: Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  readonly seed: number;
  readonly backend?: string;
  /** Types of the outputs, and where in the project they are written. */
  readonly outputs: Readonly<Record<string, string>>;
}

/** Declared files are not there. */
export class MissingFilesError extends Error {
  readonly paths: readonly string[];

  constructor(paths: readonly string[]) {
    super(
      `${paths.map((path) => `"${path}"`).join(', ')} ${paths.length === 1 ? 'does' : 'do'} not exist in the project.`,
    );
    this.name = 'MissingFilesError';
    this.paths = paths;
  }
}

/** A seed that depends on the run's and on the step, by FNV-1a. */
export function deriveStepSeed(seed: number, stepId: string): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0;
  for (let index = 0; index < stepId.length; index++)
    hash = Math.imul(hash ^ stepId.charCodeAt(index), 0x01000193) >>> 0;
  return hash;
}

/** What the engine itself writes decides nothing, and changes while a step reads it. */
const isInStore = (path: string): boolean => /^(?:\.\/)*\.joyul\//.test(path);

const isGlob = (path: string): boolean => /[*?[\]{}]/.test(path);

/** Digests of the files that a step declares, by path; all missing ones are told at once. */
export function digestFiles(
  paths: readonly string[],
  { projectDir, fs, cache }: Pick<FingerprintContext, 'projectDir' | 'fs' | 'cache'>,
): Readonly<Record<string, string>> {
  const digests: Record<string, string> = {};
  const missing: string[] = [];
  const add = (path: string): void => {
    if (isInStore(path)) return;
    const digest = cache.digestIfThere(join(projectDir, path));
    if (digest !== undefined) digests[path] = digest;
  };
  for (const path of paths) {
    if (isGlob(path)) {
      fs.glob(path, projectDir).forEach(add);
      continue;
    }
    const facts = fs.stat(join(projectDir, path));
    if (facts?.kind === 'file') digests[path] = cache.digest(join(projectDir, path), facts);
    else if (facts?.kind === 'folder')
      for (const file of listFiles(fs, join(projectDir, path))) add(`${path}/${file}`);
    else missing.push(path);
  }
  if (missing.length > 0) throw new MissingFilesError(missing);
  return digests;
}

/** What a record is made of besides the step. */
export interface FingerprintContext {
  readonly projectDir: string;
  readonly fs: FileSystem;
  readonly seed: number;
  /** The numeric backend in use, for plugins whose outputs depend on it. */
  readonly backend: Backend | 'default';
  readonly cache: StatCache;
}

/** Makes a step's record from the digests of its inputs. */
export function makeFingerprintRecord(
  step: GraphStep,
  inputs: FingerprintRecord['inputs'],
  context: FingerprintContext,
): FingerprintRecord {
  const { plugin, workspace: use } = step;
  const outputs = Object.entries(step.outputs).map(([port, { type }]) => {
    const path = use.writes?.[port];
    return [port, path === undefined ? type : `${type} at ${path}`] as const;
  });
  return {
    formatVersion,
    plugin: plugin.name,
    revision: plugin.revision,
    pluginVersion: plugin.version,
    pluginCode: plugin.codeDigest,
    params: step.params,
    inputs,
    files: use.reads === undefined || use.reads.length === 0 ? {} : digestFiles(use.reads, context),
    environment: step.environment,
    // The name in the step's own file: the same work has the same seed wherever its pipeline is used.
    seed: deriveStepSeed(context.seed, localName(step.group)),
    ...(plugin.usesTensors === true ? { backend: context.backend } : {}),
    outputs: Object.fromEntries(outputs),
  };
}

/** The fingerprint of a record. */
export function fingerprintOf(record: FingerprintRecord): string {
  return digestOf(formatCanonicalJson(record));
}
