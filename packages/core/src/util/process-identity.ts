import { codeOf, readTextIfThere } from './files.ts';

/** A process, told apart from a later one with the same id. */
export interface ProcessIdentity {
  readonly id: number;
  /** When it began, in the kernel's own count; absent where the system does not tell. */
  readonly startTime?: string;
}

/** When a process began, in the kernel's own count; undefined where the system does not tell. */
export function startTimeOf(processId: number): string | undefined {
  const text = readTextIfThere(`/proc/${processId}/stat`);
  // The name in parentheses may hold blanks; the start time is the 20th field after it.
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[19];
}

/** True while a process is alive and is still the same one. */
export function isProcessAlive({ id, startTime }: ProcessIdentity): boolean {
  try {
    process.kill(id, 0);
  } catch (error) {
    // Any other refusal means that it lives and is somebody else's.
    if (codeOf(error) === 'ESRCH') return false;
  }
  const now = startTimeOf(id);
  return startTime === undefined || now === undefined || now === startTime;
}
