import { listTimes, maxWaiting, parseLocalDate } from '@joyul/core/schedule';
import type { Timing } from '@joyul/core/schedule';
import { parseArguments, readChoice } from '../args.ts';
import type { Arguments } from '../args.ts';
import { exitCodes } from '../exit-codes.ts';
import { findProject } from '../project.ts';
import { askFor, findScheduleName, overlaps, readSchedule } from '../schedules.ts';
import { formatTime } from '../terminal/format-schedule.ts';
import { UsageError } from '../usage-error.ts';
import { printTaken } from './schedule-change.ts';

const flags = {
  from: { type: 'string' },
  to: { type: 'string' },
  overlap: { type: 'string' },
  'dry-run': { type: 'boolean', short: 'n' },
  json: { type: 'boolean' },
} as const;

function readDate(args: Arguments, name: 'from' | 'to', { zone }: Timing): number {
  const text = args.value(name);
  if (text === undefined)
    throw new UsageError('Say from when to when: `--from 2026-01-01 --to 2026-01-31`, both days included.');
  const date = parseLocalDate(text, zone, name === 'from' ? 'first' : 'last');
  if (date === undefined)
    throw new UsageError(`--${name} must be a date such as 2026-01-31 or 2026-01-31T18:00, but is ${text}.`);
  return date;
}

/** The past times that were asked for. */
function readTimes(args: Arguments, timing: Timing): readonly number[] {
  const [from, to] = [readDate(args, 'from', timing), readDate(args, 'to', timing)];
  if (from > to) throw new UsageError('--from must be before --to.');
  const span = { afterMs: from - 1, uptoMs: Math.min(to, Date.now()) };
  const times = listTimes(timing, span, maxWaiting + 1);
  if (times.length > maxWaiting)
    throw new UsageError(
      `These are more than ${maxWaiting} runs. Take a shorter time, and the rest after it.`,
    );
  if (times.length === 0) throw new UsageError('The schedule has no time between these that has passed.');
  return times;
}

/** `joyul schedule backfill`. */
export async function backfillSchedule(argv: readonly string[]): Promise<number> {
  const args = parseArguments(argv, flags);
  const projectDir = findProject(process.cwd());
  const name = findScheduleName(projectDir, args.positionals[0]);
  const overlap = readChoice(args, 'overlap', overlaps) ?? 'buffer_all';
  const schedule = readSchedule(projectDir, name);
  if (schedule === undefined) return exitCodes.badPipeline;
  const { timing } = schedule.rules;
  const times = readTimes(args, timing);
  if (args.has('dry-run')) {
    if (args.has('json'))
      process.stdout.write(
        `${JSON.stringify(
          times.map((time) => new Date(time).toISOString()),
          null,
          2,
        )}\n`,
      );
    else
      for (const time of times)
        process.stdout.write(`${formatTime(time, timing.zone)} ${timing.zone.name}\n`);
    return exitCodes.done;
  }
  const result = await askFor(projectDir, schedule, { kind: 'backfill', atMs: Date.now(), times, overlap });
  const text = `gets ${times.length} ${times.length === 1 ? 'run' : 'runs'} of past times, ${overlap}.`;
  printTaken(args, projectDir, { name, text, result });
  return exitCodes.done;
}
