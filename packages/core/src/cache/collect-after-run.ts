import { join } from 'node:path';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import { nodeFileSystem } from '../util/file-system.ts';
import { readTextIfThere, writeFileAtomically } from '../util/files.ts';
import { lowerToDisk, readCacheSettings } from './cache-settings.ts';
import type { Collected } from './collect-garbage.ts';
import { collectGarbage } from './collect-garbage.ts';
import { listNames } from './walk.ts';

/** What was known of a store when it was last looked at, so that most runs need not look. */
interface Memory {
  readonly version: 1;
  readonly lookedMs: number;
  /** Then, and what runs have stored since. */
  readonly totalBytes: number;
  /** When the next thing reaches its age; absent when nothing will. */
  readonly nextExpiryMs?: number;
  /** True while things wait for runs to end. */
  readonly isWaiting: boolean;
  /** No new look before this size while what must stay is over the limit. */
  readonly lookFromBytes?: number;
}

const memoryFile = (storeDir: string): string => join(storeDir, 'clean-up.json');

function readMemory(storeDir: string): Memory | undefined {
  try {
    const memory = JSON.parse(readTextIfThere(nodeFileSystem, memoryFile(storeDir)) ?? '') as Partial<Memory>; // Its numbers are checked.
    const isGood =
      memory.version === 1 && Number.isFinite(memory.lookedMs) && Number.isFinite(memory.totalBytes);
    return isGood ? (memory as Memory) : undefined; // What writeMemory wrote.
  } catch {
    return undefined;
  }
}

function writeMemory(storeDir: string, memory: Memory): void {
  writeFileAtomically(nodeFileSystem, memoryFile(storeDir), JSON.stringify(memory));
}

/** What a run's clean-up came to. */
export interface AfterRun {
  readonly freedBytes: number;
  /** What is wrong with the project's settings. */
  readonly diagnostics: readonly Diagnostic[];
  /** Why nothing could be cleaned up, in words. */
  readonly problem?: string;
}

const dayMs = 86_400_000;
/** What is needed changes with every run, so that even a small store is looked at sometimes. */
const lookAtLeastEveryMs = 7 * dayMs;

function isDue(memory: Memory, limits: { readonly maxSizeBytes: number }, nowMs: number): boolean {
  if (nowMs - memory.lookedMs > lookAtLeastEveryMs || nowMs < memory.lookedMs - dayMs) return true;
  if (memory.isWaiting || (memory.nextExpiryMs !== undefined && nowMs >= memory.nextExpiryMs)) return true;
  return memory.totalBytes > Math.max(limits.maxSizeBytes, memory.lookFromBytes ?? 0);
}

function remember(storeDir: string, collected: Collected, nowMs: number): number {
  if (collected.state === 'busy') return 0; // The other one remembers.
  const { plan, removal } = collected;
  const { garbage, maxSizeBytes } = plan;
  writeMemory(storeDir, {
    version: 1,
    lookedMs: nowMs,
    totalBytes: garbage.totalBytes - removal.freedBytes,
    isWaiting: removal.waitsFor.length > 0,
    ...(garbage.nextExpiryMs === undefined ? {} : { nextExpiryMs: garbage.nextExpiryMs }),
    ...(garbage.isOverLimit
      ? { lookFromBytes: garbage.totalBytes - removal.freedBytes + maxSizeBytes / 20 }
      : {}),
  });
  return removal.freedBytes;
}

async function collectIfDue(
  projectDir: string,
  storedBytes: number,
  environment: NodeJS.ProcessEnv,
): Promise<AfterRun | undefined> {
  const storeDir = join(projectDir, '.joyul');
  const { settings, diagnostics } = await readCacheSettings(projectDir, environment);
  // Limits that nobody can read remove nothing.
  if (diagnostics.length > 0) return { freedBytes: 0, diagnostics };
  const nowMs = Date.now();
  const known = readMemory(storeDir);
  // Of a store that is one run old everything is known.
  const isNew = known === undefined && listNames(join(storeDir, 'runs')).length <= 1;
  const before = known ?? { version: 1 as const, lookedMs: nowMs, totalBytes: 0, isWaiting: false };
  const memory: Memory = { ...before, totalBytes: before.totalBytes + storedBytes };
  const maxSizeBytes = lowerToDisk(settings.maxSizeBytes, storeDir, memory.totalBytes);
  if ((known !== undefined || isNew) && !isDue(memory, { maxSizeBytes }, nowMs)) {
    writeMemory(storeDir, memory);
    return undefined;
  }
  const collected = await collectGarbage({ projectDir, settings, isLoweredToDisk: true, waitMs: 0 });
  return { freedBytes: remember(storeDir, collected, nowMs), diagnostics };
}

/**
 * Keeps a store within its limits; called after a run, when its lease is closed.
 *
 * A run that stored nothing costs nothing. Other runs add up what they stored; the store itself is looked at only
 * when that is over the limit, when something reaches its age, or once a week. It never fails a run.
 */
export async function collectAfterRun(options: {
  readonly projectDir: string;
  /** What the run added to the store. */
  readonly storedBytes: number;
  readonly environment?: NodeJS.ProcessEnv;
}): Promise<AfterRun | undefined> {
  if (options.storedBytes === 0) return undefined;
  try {
    return await collectIfDue(options.projectDir, options.storedBytes, options.environment ?? process.env);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return { freedBytes: 0, diagnostics: [], problem };
  }
}
