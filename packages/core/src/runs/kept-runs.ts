import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listRunIds } from './run-files.ts';

/** The file in a run's folder that says that the run is to be kept. */
export const keptMark = 'kept';

const markOf = (projectDir: string, runId: string): string =>
  join(projectDir, '.joyul', 'runs', runId, keptMark);

/** True when a run and all that it needs are never removed by a clean-up. */
export function isKeptRun(projectDir: string, runId: string): boolean {
  return existsSync(markOf(projectDir, runId));
}

/** Keeps a run, or gives it back to the limits; false when that was so already. */
export function setRunKept(projectDir: string, runId: string, isKept: boolean): boolean {
  if (isKeptRun(projectDir, runId) === isKept) return false;
  if (isKept) writeFileSync(markOf(projectDir, runId), '');
  else rmSync(markOf(projectDir, runId), { force: true });
  return true;
}

/** Ids of the runs that a name may mean: an id, its end, or `last`. */
export function findRunIds(projectDir: string, name: string): readonly string[] {
  const ids = listRunIds(projectDir);
  if (name === 'last') return ids.slice(-1);
  return ids.includes(name) ? [name] : ids.filter((id) => id.endsWith(name));
}
