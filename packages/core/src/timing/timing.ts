import { createHash } from 'node:crypto';
import type { Schedule } from '../graph/graph.ts';
import type { CronPattern } from './cron.ts';
import { parseCron } from './cron.ts';
import { parseLocalDate } from './local-date.ts';
import type { Zone } from './zone.ts';
import { findZone } from './zone.ts';

/** The part of a schedule that says when. */
export type TimingSpec = Pick<Schedule, 'cron' | 'timezone' | 'start' | 'end'>;

/** When a schedule is due: checked, and ready to be asked. */
export interface Timing {
  readonly cron: CronPattern;
  readonly zone: Zone;
  /** No time before it. */
  readonly startMs?: number;
  /** No time after it. */
  readonly endMs?: number;
}

/** What is wrong with one key of a schedule. */
export interface TimingProblem {
  readonly key: keyof TimingSpec;
  readonly message: string;
  readonly help: string;
}

/** A timing, or everything that is wrong with it. */
export type TimingResult =
  | { readonly ok: true; readonly timing: Timing }
  | { readonly ok: false; readonly problems: readonly TimingProblem[] };

/** Checks and reads when a schedule is due; what passes here is what runs. */
export function makeTiming(spec: TimingSpec): TimingResult {
  const problems: TimingProblem[] = [];
  const cron = parseCron(spec.cron);
  if (!cron.ok)
    problems.push({ key: 'cron', message: `The cron expression ${cron.message}.`, help: cron.help });
  const zone = findZone(spec.timezone ?? 'UTC');
  if (zone === undefined)
    problems.push({
      key: 'timezone',
      message: `There is no time zone "${spec.timezone ?? ''}".`,
      help: 'Write an IANA name such as `Europe/Berlin`.',
    });
  const dates: { start?: number; end?: number } = {};
  for (const key of ['start', 'end'] as const) {
    const text = spec[key];
    if (text === undefined) continue;
    const date = parseLocalDate(text, zone ?? utc, key === 'start' ? 'first' : 'last');
    if (date === undefined)
      problems.push({
        key,
        message: `"${text}" is not a date.`,
        help: 'Write a date as ISO 8601 does: `2026-01-31` or `2026-01-31T18:00`.',
      });
    else dates[key] = date;
  }
  if (dates.start !== undefined && dates.end !== undefined && dates.start > dates.end)
    problems.push({ key: 'end', message: 'The schedule ends before it starts.', help: 'Write a later end.' });
  if (!cron.ok || zone === undefined || problems.length > 0) return { ok: false, problems };
  return {
    ok: true,
    timing: {
      cron: cron.pattern,
      zone,
      ...(dates.start === undefined ? {} : { startMs: dates.start }),
      ...(dates.end === undefined ? {} : { endMs: dates.end }),
    },
  };
}

/** Dates are still checked where the zone is not known. */
const utc: Zone = { name: 'UTC', wallAt: (ms) => ms, instantOf: (ms) => ms, lastWallAt: (ms) => ms };

/** The first due time after an instant; undefined where none comes. */
export function findNextTime(timing: Timing, afterMs: number): number | undefined {
  const { cron, zone, startMs = -Infinity, endMs = Infinity } = timing;
  const after = Math.max(afterMs, startMs - 1);
  const wall = cron.next(zone.lastWallAt(after));
  const instant = wall === undefined ? undefined : zone.instantOf(wall);
  return instant === undefined || instant > endMs ? undefined : instant;
}

/** The last due time that is not after an instant; undefined where there was none. */
export function findLastTime(timing: Timing, uptoMs: number): number | undefined {
  const { cron, zone, startMs = -Infinity, endMs = Infinity } = timing;
  const wall = cron.previous(zone.lastWallAt(Math.min(uptoMs, endMs)) + 1000);
  const instant = wall === undefined ? undefined : zone.instantOf(wall);
  return instant === undefined || instant < startMs ? undefined : instant;
}

/** Due times after one instant and up to another, the newest of them where there are more than `most`. */
export function listTimes(
  timing: Timing,
  span: { readonly afterMs: number; readonly uptoMs: number },
  most: number,
): readonly number[] {
  const times: number[] = [];
  let time = findLastTime(timing, span.uptoMs);
  while (time !== undefined && time > span.afterMs && times.length < most) {
    times.push(time);
    time = findLastTime(timing, time - 1);
  }
  return times.reverse();
}

/** How long after its time a run starts: always the same for one schedule and time, and never past the next time. */
export function findDelay(
  timing: Timing,
  name: string,
  options: { readonly timeMs: number; readonly jitterMs: number },
): number {
  const { timeMs, jitterMs } = options;
  if (jitterMs <= 0) return 0;
  const next = findNextTime(timing, timeMs);
  const span = Math.min(jitterMs, next === undefined ? jitterMs : next - timeMs);
  const draw = createHash('sha256').update(`${name}\n${timeMs}`).digest().readUIntBE(0, 6) / 2 ** 48;
  return Math.floor(draw * span);
}
