import { codeOf, readTextIfThere } from './files.ts';

/** When a process began, in the kernel's own count; empty where the system does not tell. */
function startOf(processId: number): string {
  const text = readTextIfThere(`/proc/${processId}/stat`) ?? '';
  // The name in parentheses may hold blanks; the start time is the 20th field after it.
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

let own: string | undefined;

/** The name of this process: its id and when it began, since ids come again. */
export function ownProcess(): string {
  own ??= `${process.pid}-${startOf(process.pid)}`;
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
  const now = startOf(Number(id));
  return start === '' || now === '' || now === start;
}
