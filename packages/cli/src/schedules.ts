/** What the schedule commands share: finding schedules, and asking whoever may change them. */
import { setTimeout as sleep } from 'node:timers/promises';
import { findNearest } from '@joyul/core';
import {
  SchedulerLock,
  StateFiles,
  listScheduleNames,
  makeScheduleRules,
  processIdOf,
  readDefinition,
  settleCommands,
  stateDirOf,
} from '@joyul/core/schedule';
import type {
  LockHolder,
  Overlap,
  ScheduleCommand,
  ScheduleDefinition,
  ScheduleProblem,
  ScheduleRules,
} from '@joyul/core/schedule';
import { printDiagnostics } from './pipeline-options.ts';
import { UsageError } from './usage-error.ts';

/** A schedule that can run. */
export interface ReadySchedule {
  readonly name: string;
  readonly definition: ScheduleDefinition;
  readonly rules: ScheduleRules;
}

/** Policies for runs that are due while another one still runs. */
export const overlaps: readonly Overlap[] = [
  'skip',
  'buffer_one',
  'buffer_all',
  'cancel_other',
  'terminate_other',
  'allow_all',
];

/** The name that was given; it must be that of a schedule. */
export function findScheduleName(projectDir: string, named: string | undefined): string {
  const names = listScheduleNames(projectDir);
  if (named !== undefined && names.includes(named)) return named;
  if (names.length === 0)
    throw new UsageError(
      'There are no schedules here. `joyul schedule add PIPELINE --cron "0 3 * * *"` makes one.',
    );
  if (named === undefined) {
    const [only] = names;
    if (names.length === 1 && only !== undefined) return only;
    throw new UsageError(`Name one of the schedules: ${names.join(', ')}.`);
  }
  const nearest = findNearest(named, names);
  throw new UsageError(
    `There is no schedule "${named}". ${nearest === undefined ? `Here are ${names.join(', ')}.` : `Did you mean "${nearest}"?`}`,
  );
}

/** The schedule of a name; undefined, with its problems printed, when its file has errors. */
export function readSchedule(projectDir: string, name: string): ReadySchedule | undefined {
  const found = readDefinition(projectDir, name);
  if (found?.definition === undefined) {
    printDiagnostics(found?.diagnostics ?? []);
    return undefined;
  }
  return { name, definition: found.definition, rules: makeScheduleRules(name, found.definition) };
}

/** Who has the lock, in words. */
export function describeHolder(holder: LockHolder): string {
  const since = new Date(holder.sinceMs).toISOString().slice(0, 19).replace('T', ' ');
  return `process ${processIdOf(holder)} on ${holder.host}, since ${since} UTC`;
}

/** The scheduler that runs; undefined where none does. */
export function findScheduler(projectDir: string): LockHolder | undefined {
  const holder = SchedulerLock.findHolder(stateDirOf(projectDir));
  return holder?.role === 'scheduler' ? holder : undefined;
}

const pollMs = 20;
const patienceMs = 10_000;

/** Whether the scheduler that runs took a command, or there was none and it was taken in its place. */
export type AskResult = 'taken by the scheduler' | 'taken here' | 'not taken yet';

/** Leaves a command and waits until somebody has taken it. */
export async function askFor(
  projectDir: string,
  schedule: ReadySchedule,
  command: ScheduleCommand,
): Promise<AskResult> {
  const files = new StateFiles(projectDir);
  const id = files.addCommand(schedule.name, command);
  const deadline = Date.now() + patienceMs;
  for (;;) {
    const lock = SchedulerLock.take(stateDirOf(projectDir), 'command');
    if (lock instanceof SchedulerLock) {
      try {
        const isLeft = files.hasCommand(schedule.name, id);
        settleCommands(files, schedule.rules);
        return isLeft ? 'taken here' : 'taken by the scheduler';
      } finally {
        lock.release();
      }
    }
    if (!files.hasCommand(schedule.name, id)) return 'taken by the scheduler';
    if (Date.now() > deadline) return 'not taken yet';
    await sleep(pollMs);
  }
}

/** Whether anything starts by itself now, and what makes it so. */
export function describeStart(projectDir: string): string {
  const holder = findScheduler(projectDir);
  return holder === undefined
    ? 'No scheduler runs: nothing starts until `joyul schedule start` does, or the service of `joyul schedule install`.'
    : `The scheduler runs: ${describeHolder(holder)}.`;
}

/** What is wrong with a schedule that flags describe; every problem is told. */
export const formatProblems = (problems: readonly ScheduleProblem[]): string =>
  problems
    .map(({ key, message, help }) => `--${key.replace('_', '-')}: ${message}\n  help: ${help}`)
    .join('\n');
