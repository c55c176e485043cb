/** Actions that change a schedule: pause, resume, trigger, remove. */
import { StateFiles, listScheduleNames, removeDefinition } from '@joyul/core/schedule';
import type { ScheduleCommand } from '@joyul/core/schedule';
import { parseArguments, readChoice } from '../args.ts';
import type { Arguments } from '../args.ts';
import { exitCodes } from '../exit-codes.ts';
import { findProject } from '../project.ts';
import type { AskResult } from '../schedules.ts';
import { askFor, describeStart, findScheduleName, overlaps, readSchedule } from '../schedules.ts';

const flags = {
  reason: { type: 'string' },
  overlap: { type: 'string' },
  json: { type: 'boolean' },
} as const;

/** Prints that a command was taken, by whom, and what comes of it. */
export function printTaken(
  args: Arguments,
  projectDir: string,
  told: { readonly name: string; readonly text: string; readonly result: AskResult },
): void {
  const { name, text, result } = told;
  if (args.has('json')) {
    process.stdout.write(`${JSON.stringify({ name, result })}\n`);
    return;
  }
  const isLate = result === 'not taken yet';
  const late = 'The scheduler has not answered yet; it takes this when it wakes.';
  process.stdout.write(`${name} ${text}\n${isLate ? late : describeStart(projectDir)}\n`);
}

async function change(
  argv: readonly string[],
  makeCommand: (args: Arguments) => ScheduleCommand,
  text: string,
): Promise<number> {
  const args = parseArguments(argv, flags);
  const projectDir = findProject(process.cwd());
  const name = findScheduleName(projectDir, args.positionals[0]);
  const command = makeCommand(args);
  const schedule = readSchedule(projectDir, name);
  if (schedule === undefined) return exitCodes.badPipeline;
  const result = await askFor(projectDir, schedule, command);
  printTaken(args, projectDir, { name, text, result });
  return exitCodes.done;
}

/** `joyul schedule pause`. */
export const pauseSchedule = (argv: readonly string[]): Promise<number> =>
  change(
    argv,
    (args) => ({ kind: 'pause', atMs: Date.now(), reason: args.value('reason') ?? '' }),
    'is paused; runs that are under way go on.',
  );

/** `joyul schedule resume`. */
export const resumeSchedule = (argv: readonly string[]): Promise<number> =>
  change(argv, () => ({ kind: 'resume', atMs: Date.now() }), 'goes on.');

/** `joyul schedule trigger`. */
export const triggerSchedule = (argv: readonly string[]): Promise<number> =>
  change(
    argv,
    (args) => ({
      kind: 'trigger',
      atMs: Date.now(),
      overlap: readChoice(args, 'overlap', overlaps) ?? 'allow_all',
    }),
    'is triggered.',
  );

/** `joyul schedule remove`. */
export function removeSchedule(argv: readonly string[]): Promise<number> {
  const args = parseArguments(argv, { json: { type: 'boolean' } });
  const projectDir = findProject(process.cwd());
  const name = findScheduleName(projectDir, args.positionals[0] ?? '');
  const files = new StateFiles(projectDir);
  const active = files.read(name)?.active ?? [];
  // The definition first: without it no scheduler writes the state again.
  removeDefinition(projectDir, name);
  files.remove(name);
  const left = listScheduleNames(projectDir).length;
  if (args.has('json')) process.stdout.write(`${JSON.stringify({ name, left })}\n`);
  else {
    const goesOn = active.map(
      ({ number, processId }) => `no. ${number}${processId === undefined ? '' : ` (process ${processId})`}`,
    );
    const runs = goesOn.length === 0 ? '' : ` Under way and going on: ${goesOn.join(', ')}.`;
    process.stdout.write(`${name} is removed.${runs}\n`);
  }
  return Promise.resolve(exitCodes.done);
}
