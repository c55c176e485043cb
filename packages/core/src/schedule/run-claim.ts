/**
 * How a scheduled run and its scheduler agree, though either may be killed at any moment.
 *
 *     scheduler                                run's process
 *     1 writes the intention into its state
 *     2 makes the folder, starts a process
 *                                              3 makes claim-N: now the run is its own, or it leaves
 *                                              4 runs the pipeline
 *                                              5 writes end.json
 *
 * A scheduler that was killed between 1 and 3 cannot know whether the process is on its way. The next one makes
 * claim-N itself: if it wins, the process can never begin and a new attempt may; if it loses, the run is under way.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../util/files.ts';
import { readTextIfThere, writeFileAtomically } from './disk.ts';
import type { ProcessMark } from './exclusive.ts';
import { createExclusively, isMarkAlive, ownMark, parseJson, processIdOf } from './exclusive.ts';

/** A claim by the run's process, or the scheduler's word that there will be none. */
type Claim = ProcessMark | { readonly isVoid: true };

/** What a run's process leaves behind. */
export interface RunEnd {
  readonly exitCode: number;
  readonly endedMs: number;
}

const claimFile = (dir: string, attempt: number): string => join(dir, `claim-${attempt}.json`);
const endFile = (dir: string): string => join(dir, 'end.json');

function claim(dir: string, attempt: number, content: Claim): boolean {
  try {
    return createExclusively(claimFile(dir, attempt), JSON.stringify(content));
  } catch (error) {
    // The folder is gone: the run was given up.
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Makes the run this process's own; false when it must not begin. */
export const claimRun = (dir: string, attempt: number): boolean => claim(dir, attempt, ownMark());

/** Says how the run ended; nobody is left to tell where its folder is gone. */
export function recordRunEnd(dir: string, end: RunEnd): void {
  if (existsSync(dir)) writeFileAtomically(endFile(dir), JSON.stringify(end), { isDurable: true });
}

/** What the files of a run say about it. */
export type ClaimedFate =
  | { readonly kind: 'starting' }
  | { readonly kind: 'running'; readonly processId: number }
  | { readonly kind: 'never started' }
  | { readonly kind: 'ended'; readonly end: RunEnd | undefined };

/** How a run is; `isChildAlive` says that a process of this scheduler is on its way to claim it. */
export function findClaimedFate(dir: string, attempt: number, isChildAlive: boolean): ClaimedFate {
  const found = readClaim(dir, attempt);
  if (found === undefined) {
    if (isChildAlive) return { kind: 'starting' };
    if (!existsSync(dir) || claim(dir, attempt, { isVoid: true })) return { kind: 'never started' };
    return findClaimedFate(dir, attempt, true);
  }
  if ('isVoid' in found) return { kind: 'never started' };
  const isAlive = isMarkAlive(found);
  // Read after the process was looked at: it writes its end before it ends.
  const end = readEnd(dir);
  if (end !== undefined) return { kind: 'ended', end };
  return isAlive ? { kind: 'running', processId: processIdOf(found) } : { kind: 'ended', end: undefined };
}

function readClaim(dir: string, attempt: number): Claim | undefined {
  const text = readTextIfThere(claimFile(dir, attempt));
  return text === undefined ? undefined : (parseJson(text) as Claim | undefined); // Our own format.
}

function readEnd(dir: string): RunEnd | undefined {
  const text = readTextIfThere(endFile(dir));
  return text === undefined ? undefined : (parseJson(text) as RunEnd | undefined); // Our own format.
}
