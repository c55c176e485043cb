import { randomBytes } from 'node:crypto';
import { basename, dirname, relative, resolve, sep } from 'node:path';
import {
  StateFiles,
  findNextTime,
  findScheduleProblems,
  isScheduleName,
  listScheduleNames,
  makeScheduleRules,
  makeScheduleState,
  writeDefinition,
} from '@joyul/core/schedule';
import type { Schedule, ScheduleDefinition } from '@joyul/core/schedule';
import { parseArguments, readChoice } from '../args.ts';
import type { Arguments } from '../args.ts';
import { exitCodes } from '../exit-codes.ts';
import { printDiagnostics, printDiagnosticsAsJson, readPipeline } from '../pipeline-options.ts';
import { findPipelineFile, findProject } from '../project.ts';
import { describeStart, formatProblems, overlaps } from '../schedules.ts';
import { formatDistance, formatTime } from '../terminal/format-schedule.ts';
import { UsageError } from '../usage-error.ts';

const flags = {
  cron: { type: 'string' },
  timezone: { type: 'string' },
  name: { type: 'string' },
  overlap: { type: 'string' },
  catchup: { type: 'string' },
  'catchup-window': { type: 'string' },
  jitter: { type: 'string' },
  'pause-on-failure': { type: 'boolean' },
  start: { type: 'string' },
  end: { type: 'string' },
  set: { type: 'string', short: 's', multiple: true },
  'params-file': { type: 'string' },
  profile: { type: 'string' },
  replace: { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

/** A duration as YAML has it: a number alone is seconds. */
const readDuration = (text: string): string | number => (/^\d+$/.test(text) ? Number(text) : text);

/** The keys of a schedule that the flags give. */
function readKeys(args: Arguments): Partial<Schedule> {
  const [cron, timezone, jitter] = [args.value('cron'), args.value('timezone'), args.value('jitter')];
  const [window, start, end] = [args.value('catchup-window'), args.value('start'), args.value('end')];
  const overlap = readChoice(args, 'overlap', overlaps);
  const catchup = readChoice(args, 'catchup', ['none', 'last', 'all'] as const);
  return {
    ...(cron === undefined ? {} : { cron }),
    ...(timezone === undefined ? {} : { timezone }),
    ...(overlap === undefined ? {} : { overlap }),
    ...(catchup === undefined ? {} : { catchup }),
    ...(window === undefined ? {} : { catchup_window: readDuration(window) }),
    ...(jitter === undefined ? {} : { jitter: readDuration(jitter) }),
    ...(args.has('pause-on-failure') ? { pause_on_failure: true } : {}),
    ...(start === undefined ? {} : { start }),
    ...(end === undefined ? {} : { end }),
  };
}

/** What the schedule starts, as its file says it. */
function readJob(
  args: Arguments,
  file: string,
  projectDir: string,
): Omit<ScheduleDefinition, keyof Schedule> {
  const fromProject = (path: string): string => {
    const text = relative(projectDir, resolve(path)).split(sep).join('/');
    if (text.startsWith('../')) throw new UsageError(`${path} is outside the project ${projectDir}.`);
    return text;
  };
  const [paramsFile, profile] = [args.value('params-file'), args.value('profile')];
  return {
    pipeline: fromProject(file),
    ...(args.values('set').length === 0 ? {} : { set: args.values('set') }),
    ...(paramsFile === undefined ? {} : { params_file: fromProject(paramsFile) }),
    ...(profile === undefined ? {} : { profile }),
  };
}

function chooseName(args: Arguments, file: string, projectDir: string): string {
  const name = args.value('name') ?? basename(file).replace(/(?:\.pipeline)?\.ya?ml$/, '');
  if (!isScheduleName(name))
    throw new UsageError(
      `"${name}" is no name for a schedule. Write letters, digits, - and _: --name nightly.`,
    );
  if (!args.has('replace') && listScheduleNames(projectDir).includes(name))
    throw new UsageError(
      `There is a schedule "${name}" already. Give this one another --name, or write --replace.`,
    );
  return name;
}

/** `joyul schedule add`. */
export async function addSchedule(argv: readonly string[]): Promise<number> {
  const args = parseArguments(argv, flags);
  const keys = readKeys(args);
  const file = findPipelineFile(args.positionals[0]);
  const projectDir = findProject(dirname(file));
  const name = chooseName(args, file, projectDir);
  // A pipeline with errors is told now, not at three in the night.
  const { ready, diagnostics } = await readPipeline(args, file);
  if (args.has('json') && ready === undefined) printDiagnosticsAsJson(diagnostics);
  else printDiagnostics(diagnostics);
  if (ready === undefined) return exitCodes.badPipeline;
  const own = ready.graph.schedule;
  const cron = keys.cron ?? own?.cron;
  if (cron === undefined)
    throw new UsageError(
      'Say when: --cron "0 3 * * *" is three in the night. The pipeline has no `schedule:` of its own.',
    );
  const schedule = { ...own, ...keys, cron };
  const problems = findScheduleProblems(schedule);
  if (problems.length > 0) throw new UsageError(formatProblems(problems));
  const definition = { ...readJob(args, file, projectDir), ...schedule };
  const rules = makeScheduleRules(name, definition);
  const files = new StateFiles(projectDir);
  const isNew = !listScheduleNames(projectDir).includes(name);
  if (isNew) {
    // What an earlier schedule of this name left; before the file is there, no scheduler looks at it.
    files.remove(name);
    files.save(name, makeScheduleState(rules, Date.now(), randomBytes(4).toString('hex')));
  }
  const written = writeDefinition(projectDir, name, definition);
  const next = findNextTime(rules.timing, Date.now());
  if (args.has('json')) {
    const nextText = next === undefined ? null : new Date(next).toISOString();
    process.stdout.write(`${JSON.stringify({ name, file: written, definition, next: nextText }, null, 2)}\n`);
    return exitCodes.done;
  }
  const { zone } = rules.timing;
  const when =
    next === undefined
      ? 'No time is left before its end.'
      : `The next time is ${formatTime(next, zone)} ${zone.name}, ${formatDistance(next, Date.now())}.`;
  process.stdout.write(`${name}: ${written} is written. ${when}\n${describeStart(projectDir)}\n`);
  return exitCodes.done;
}
