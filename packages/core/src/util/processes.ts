import { readFileSync, readdirSync } from 'node:fs';
import { uptime } from 'node:os';
import { codeOf } from './files.ts';

/** The environment variable by which everything that a run starts is known to belong to it. */
export const ownerVariable = 'JOYUL_OWNER';

function readIfAllowed(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // The process has ended, or is another user's.
  }
}

/** What the kernel says of a process: when it began, in its own count, and its state; empty where it does not tell. */
function readFacts(processId: number): { readonly start: string; readonly state: string } {
  const text = readIfAllowed(`/proc/${processId}/stat`);
  // The name in parentheses may hold blanks; the start time is the 20th field after it.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { start: fields[19] ?? '', state: fields[0] ?? '' };
}

/** What tells one start of this machine from the next; where the system does not say, the minute in which it was. */
export function readBoot(): string {
  const id = readIfAllowed('/proc/sys/kernel/random/boot_id').trim();
  return id === '' ? String(Math.round((Date.now() / 1000 - uptime()) / 60)) : id;
}

let own: string | undefined;

/** The name of this process: its id and when it began, since ids come again. */
export function ownProcess(): string {
  own ??= `${process.pid}-${readFacts(process.pid).start}`;
  return own;
}

/** True while the process of this name runs. */
export function isProcessAlive(name: string): boolean {
  const [id = '', start = ''] = name.split('-');
  if (!/^[1-9]\d*$/.test(id)) return false;
  try {
    process.kill(Number(id), 0);
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false;
  }
  const now = readFacts(Number(id));
  // One that has ended may stay in the table for as long as its parent does not ask how.
  if (now.state === 'Z' || now.state === 'X') return false;
  return start === '' || now.start === '' || now.start === start;
}

/**
 * Asks the process of this name to end. `ended`: it has. `unsure`: the system does not tell whether the process of that
 * id is still the same one, and nothing was done. `refused`: it is another user's.
 */
export function askToEnd(name: string): 'asked' | 'ended' | 'unsure' | 'refused' {
  const [id = '', start = ''] = name.split('-');
  if (!isProcessAlive(name)) return 'ended';
  if (start === '' || readFacts(Number(id)).start !== start) return 'unsure';
  try {
    process.kill(Number(id), 'SIGTERM');
    return 'asked';
  } catch (error) {
    return codeOf(error) === 'ESRCH' ? 'ended' : 'refused';
  }
}

/** Ends the process of this name at once, and all that it started; nothing is done to another one. */
export function endNow(name: string): void {
  const [id = '', start = ''] = name.split('-');
  if (isProcessAlive(name) && start !== '' && readFacts(Number(id)).start === start)
    process.kill(Number(id), 'SIGKILL');
  endOrphans(name);
}

/**
 * Signals every process that has a variable with this value in its environment, wherever it has moved to.
 *
 * A group is not enough: a child may have made one of its own. Where the system does not show environments, nothing
 * is done. Gives how many were signalled.
 */
export function signalMarked(variable: string, value: string, signal: 'SIGTERM' | 'SIGKILL'): number {
  if (process.platform !== 'linux') return 0;
  let count = 0;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry) || entry === String(process.pid)) continue;
    const environment = readIfAllowed(`/proc/${entry}/environ`);
    if (!environment.split('\0').includes(`${variable}=${value}`)) continue;
    try {
      process.kill(Number(entry), signal);
      count++;
    } catch {
      // It has just ended.
    }
  }
  return count;
}

/** How long what was killed may take to be gone; a process that waits for a broken disk may take for ever. */
const goneMs = 1000;

/** Ends every marked process, and waits until none is left: while one looks, another may have just been started. */
export function killMarked(variable: string, value: string): void {
  const endMs = performance.now() + goneMs;
  while (signalMarked(variable, value, 'SIGKILL') > 0 && performance.now() < endMs);
}

/** Ends what a dead process started and left running: a child that goes on writing would spoil what the next run makes. */
export const endOrphans = (name: string): void => {
  killMarked(ownerVariable, name);
};
