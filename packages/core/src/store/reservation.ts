import { closeSync, mkdirSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, readTextIfThere } from '../util/files.ts';

/** When a process began, in the kernel's own count; undefined where the system does not tell. */
export function startOf(processId: number): string | undefined {
  const text = readTextIfThere(`/proc/${processId}/stat`);
  // The name in parentheses may hold blanks; the start time is the 20th field after it.
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}

/** True while the process that began then is there. */
export function isAlive(processId: number, start: string | undefined): boolean {
  try {
    process.kill(processId, 0);
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false;
  }
  // Another process may have got the same id.
  const now = startOf(processId);
  return start === undefined || now === undefined || now === start;
}

/** A right to compute one fingerprint, held by one process at a time. */
export interface Reservation {
  release(): void;
}

/** The file that says who computes a fingerprint. */
export const reservationFile = (storeDir: string, fingerprint: string): string =>
  join(storeDir, 'reservations', fingerprint);

/** How long an owner may take between making its file and writing its name. */
const namelessMs = 2000;

function isOlderThan(file: string, ageMs: number): boolean {
  const stats = statSync(file, { throwIfNoEntry: false });
  return stats !== undefined && Date.now() - stats.mtimeMs > ageMs;
}

/** Reserves a fingerprint by its file; undefined while another process has it, or had it and died. */
export function tryReserve(file: string): Reservation | undefined {
  mkdirSync(dirname(file), { recursive: true });
  try {
    const handle = openSync(file, 'wx');
    try {
      writeSync(handle, `${process.pid} ${startOf(process.pid) ?? ''}`);
    } catch (error) {
      // A full disk: nobody must wait for an owner without a name.
      rmSync(file, { force: true });
      throw error;
    } finally {
      closeSync(handle);
    }
    return {
      release: () => {
        rmSync(file, { force: true });
      },
    };
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
  const owner = readTextIfThere(file);
  const [id, start] = owner?.split(' ') ?? [];
  if (owner === undefined) return undefined;
  // An empty file is one whose owner is about to write its name, or died before it could.
  const isDead =
    owner === '' ? isOlderThan(file, namelessMs) : !isAlive(Number(id), start === '' ? undefined : start);
  if (isDead) {
    // Only the file that was read is removed: another process may have taken over in between.
    if (readTextIfThere(file) === owner) rmSync(file, { force: true });
  }
  return undefined;
}

/**
 * Waits until no other live process computes a fingerprint, then reserves it.
 *
 * `onWait` is called once when there is something to wait for. What a dead process held is taken over.
 */
export async function reserve(
  storeDir: string,
  fingerprint: string,
  options: { readonly signal: AbortSignal; readonly onWait: () => void },
): Promise<Reservation> {
  const file = reservationFile(storeDir, fingerprint);
  for (let attempt = 0; ; attempt++) {
    const reservation = tryReserve(file);
    if (reservation !== undefined) return reservation;
    if (attempt === 1) options.onWait();
    await sleep(Math.min(20 * 2 ** attempt, 250), undefined, { signal: options.signal });
  }
}
