import { findZone } from '@joyul/core/schedule';
import type { EndedRun, RunCause, ScheduleNotice, Zone } from '@joyul/core/schedule';

/** The zone of this machine's clock. */
export function localZone(): Zone {
  const zone = findZone(new Intl.DateTimeFormat().resolvedOptions().timeZone) ?? findZone('UTC');
  if (zone === undefined) throw new Error('Internal error: there is no UTC.');
  return zone;
}

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

/** A time as a zone's clock shows it: `Thu 2026-11-26 03:00`, with seconds where there are any. */
export function formatTime(timeMs: number, zone: Zone): string {
  const wall = new Date(zone.wallAt(timeMs));
  const text = wall.toISOString();
  const seconds = wall.getUTCSeconds() === 0 ? '' : text.slice(16, 19);
  return `${days[wall.getUTCDay()] ?? ''} ${text.slice(0, 10)} ${text.slice(11, 16)}${seconds}`;
}

/** `2026-11-26 03:00:00` by this machine's clock. */
export const formatStamp = (timeMs: number): string =>
  new Date(localZone().wallAt(timeMs)).toISOString().slice(0, 19).replace('T', ' ');

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const;

/** A stretch of time in its two largest units: `2 h 5 min`. */
export function formatSpan(durationMs: number): string {
  let rest = Math.round(durationMs / 1000) * 1000;
  const first = units.findIndex(([, size]) => rest >= size);
  if (first === -1) return '0 s';
  return units
    .slice(first, first + 2)
    .flatMap(([unit, size]) => {
      const count = Math.floor(rest / size);
      rest -= count * size;
      return count === 0 ? [] : [`${count} ${unit}`];
    })
    .join(' ');
}

/** `in 2 h 5 min`, `3 d ago`. */
export function formatDistance(timeMs: number, nowMs: number): string {
  const text = formatSpan(Math.abs(timeMs - nowMs));
  return timeMs >= nowMs ? `in ${text}` : `${text} ago`;
}

const causes: Readonly<Record<RunCause, string>> = {
  time: 'for',
  'catch-up': 'to make up for',
  backfill: 'as backfill of',
  trigger: 'as triggered at',
};

/** How a run ended, in a few words. */
export function formatEnd({ end, startedMs, endedMs, runId, message }: EndedRun): string {
  const took = end === 'never started' ? '' : ` after ${formatSpan(endedMs - startedMs)}`;
  const run = runId === undefined ? '' : `, run ${runId}`;
  return `${end}${took}${run}${message === undefined ? '' : `: ${message}`}`;
}

/** What happened to a schedule, in one line. */
export function formatNotice(notice: ScheduleNotice, zone: Zone): string {
  const at = (timeMs: number): string => `${formatTime(timeMs, zone)} ${zone.name}`;
  switch (notice.kind) {
    case 'started':
      return `no. ${notice.run.number} starts ${causes[notice.run.cause]} ${at(notice.run.timeMs)}`;
    case 'ended':
      return `no. ${notice.run.number} ${formatEnd(notice.run)}`;
    case 'skipped':
      return `${at(notice.run.timeMs)} is skipped: ${notice.reason}`;
    case 'missed': {
      const { count, lastMs } = notice.times;
      return count === 1
        ? `${at(lastMs)} was missed, and catchup does not ask for it`
        : `${count > 1000 ? 'more than 1000' : count} times were missed, the last at ${at(lastMs)}, and catchup does not ask for them`;
    }
    case 'stopping':
      return notice.signal === 'SIGTERM'
        ? `no. ${notice.run.number} is told to end`
        : `no. ${notice.run.number} did not end, and is killed`;
    case 'paused':
      return `paused${notice.pause.reason === '' ? '' : `: ${notice.pause.reason}`}`;
    case 'resumed':
      return 'resumed';
    case 'clock-back':
      return `the clock went back to ${at(notice.toMs)}; no time that had its run gets another`;
    case 'times-changed':
      return 'its times were changed; what was missed before is not made up for';
  }
}

const toIso = (timeMs: number): string => new Date(timeMs).toISOString();

/** What happened to a schedule, for programs. */
export function describeNotice(name: string, notice: ScheduleNotice): Readonly<Record<string, unknown>> {
  const head = { time: toIso(Date.now()), schedule: name, kind: notice.kind };
  switch (notice.kind) {
    case 'started':
    case 'stopping': {
      const { number, cause, timeMs, startedMs, attempt, processId } = notice.run;
      const signal = notice.kind === 'stopping' ? { signal: notice.signal } : {};
      return {
        ...head,
        ...signal,
        number,
        cause,
        scheduledAt: toIso(timeMs),
        startedAt: toIso(startedMs),
        attempt,
        ...(processId === undefined ? {} : { processId }),
      };
    }
    case 'ended':
      return { ...head, ...describeEnded(notice.run) };
    case 'skipped': {
      const { cause, timeMs } = notice.run;
      return { ...head, cause, scheduledAt: toIso(timeMs), reason: notice.reason };
    }
    case 'missed':
      return { ...head, count: notice.times.count, lastScheduledAt: toIso(notice.times.lastMs) };
    case 'paused':
      return { ...head, reason: notice.pause.reason, by: notice.pause.by };
    case 'clock-back':
      return { ...head, from: toIso(notice.fromMs), to: toIso(notice.toMs) };
    case 'resumed':
    case 'times-changed':
      return head;
  }
}

/** An ended run, for programs. */
export function describeEnded(run: EndedRun): Readonly<Record<string, unknown>> {
  const { number, cause, timeMs, startedMs, endedMs, end, runId, message } = run;
  return {
    number,
    cause,
    scheduledAt: toIso(timeMs),
    startedAt: toIso(startedMs),
    endedAt: toIso(endedMs),
    end,
    ...(runId === undefined ? {} : { runId }),
    ...(message === undefined ? {} : { message }),
  };
}
