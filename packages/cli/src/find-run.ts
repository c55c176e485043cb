import { findRunIds, readRunRecord } from '@joyul/core';
import type { RunRecord } from '@joyul/core';
import { UsageError } from './usage-error.ts';

/** The id of the run that a person means by an id or its end; the default is the last run. */
export function findRunByName(projectDir: string, name = 'last'): string {
  const ids = findRunIds(projectDir, name);
  const [runId] = ids;
  if (runId === undefined)
    throw new UsageError(
      name === 'last'
        ? 'There are no runs yet. `joyul run` makes one.'
        : `There is no run ${name}. \`joyul runs\` lists them.`,
    );
  if (ids.length > 1) throw new UsageError(`${name} may be ${ids.join(' or ')}. Write more of its id.`);
  return runId;
}

/** The record of the run that a person means; the default is the last run. */
export function readRunByName(projectDir: string, name?: string): RunRecord {
  const runId = findRunByName(projectDir, name);
  const record = readRunRecord(projectDir, runId);
  if (record === undefined)
    throw new UsageError(`The events of run ${runId} have no beginning: nothing is known of it.`);
  return record;
}
