import { findScheduleProblems, makeScheduleRules } from '@joyul/core/schedule';
import type { ScheduleRules } from '@joyul/core/schedule';
import { parseArguments, readWholeNumber } from '../args.ts';
import type { Arguments } from '../args.ts';
import { exitCodes } from '../exit-codes.ts';
import { findProject } from '../project.ts';
import { listNextTimes } from '../schedule-view.ts';
import { findScheduleName, formatProblems, readSchedule } from '../schedules.ts';
import { UsageError } from '../usage-error.ts';
import { formatNext } from './schedule-show.ts';

const flags = {
  count: { type: 'string', short: 'n' },
  cron: { type: 'string' },
  timezone: { type: 'string' },
  json: { type: 'boolean' },
} as const;

/** The rules of the schedule that was named, or of the cron expression that was given. */
function readRules(args: Arguments): ScheduleRules | undefined {
  const [cron, timezone] = [args.value('cron'), args.value('timezone')];
  if (cron === undefined) {
    if (timezone !== undefined) throw new UsageError('--timezone goes with --cron.');
    const projectDir = findProject(process.cwd());
    return readSchedule(projectDir, findScheduleName(projectDir, args.positionals[0]))?.rules;
  }
  const schedule = { cron, ...(timezone === undefined ? {} : { timezone }) };
  const problems = findScheduleProblems(schedule);
  if (problems.length > 0) throw new UsageError(formatProblems(problems));
  return makeScheduleRules('', schedule);
}

/** `joyul schedule next`. */
export function showNext(argv: readonly string[]): Promise<number> {
  const args = parseArguments(argv, flags);
  const count = readWholeNumber(args, 'count', 1) ?? 10;
  const rules = readRules(args);
  if (rules === undefined) return Promise.resolve(exitCodes.badPipeline);
  const times = listNextTimes(rules, Date.now(), count);
  if (args.has('json')) {
    const described = times.map(({ timeMs, startMs }) => ({
      scheduledAt: new Date(timeMs).toISOString(),
      startsAt: new Date(startMs).toISOString(),
    }));
    process.stdout.write(`${JSON.stringify(described, null, 2)}\n`);
  } else if (times.length === 0) process.stdout.write('No time is left.\n');
  else for (const time of times) process.stdout.write(`${formatNext(time, rules.timing.zone)}\n`);
  return Promise.resolve(exitCodes.done);
}
