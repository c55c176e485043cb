import { describe, expect, test } from 'vitest';
import { findLastTime, findNextTime, listTimes, makeTiming } from '../../src/timing/timing.ts';
import type { Timing } from '../../src/timing/timing.ts';
import type { Fields } from './oracle.ts';
import { every, listChanges, walk } from './oracle.ts';

const minute = 60_000;
const hour = 60 * minute;

function timingOf(cron: string, timezone: string): Timing {
  const made = makeTiming({ cron, timezone });
  if (!made.ok) throw new Error(JSON.stringify(made.problems));
  return made.timing;
}

/** Times by asking for the next one again and again. */
function askForward(timing: Timing, fromMs: number, toMs: number): readonly number[] {
  const times: number[] = [];
  for (let time = findNextTime(timing, fromMs - 1); time !== undefined && time <= toMs;) {
    times.push(time);
    time = findNextTime(timing, time);
  }
  return times;
}

const anyDay = (): boolean => true;
const patterns: readonly (readonly [string, Fields])[] = [
  ['*/15 * * * *', { minutes: every(15, 59), hours: every(1, 23), isDay: anyDay }],
  ['30 2 * * *', { minutes: [30], hours: [2], isDay: anyDay }],
  ['0 0 * * *', { minutes: [0], hours: [0], isDay: anyDay }],
  ['5 1-3 * * sun', { minutes: [5], hours: [1, 2, 3], isDay: (date) => date.dayOfWeek === 7 }],
  ['55 23 L * *', { minutes: [55], hours: [23], isDay: (date) => date.day === date.daysInMonth }],
];

describe('around every change of the clock', () => {
  const zones = Intl.supportedValuesOf('timeZone');

  test.for(patterns)('%s is due when brute force says, in all zones from 2024 to 2027', ([cron, fields]) => {
    const seen = new Set<string>();
    const wrong: string[] = [];
    let changes = 0;
    for (const zone of zones) {
      const timing = timingOf(cron, zone);
      for (const change of listChanges(zone, [2024, 2027])) {
        changes++;
        // Many zones change alike: the same hours with the same offsets are walked once.
        const offsets = [-1, 0].map((ms) => findOffset(zone, change + ms));
        const key = [change, ...offsets].join(' ');
        if (seen.has(key)) continue;
        seen.add(key);
        const span = { fromMs: change - 26 * hour, toMs: change + 26 * hour, stepMs: 5 * minute };
        const expected = walk(fields, zone, span);
        const [from, to] = [span.fromMs, span.toMs];
        const back = listTimes(timing, { afterMs: from - 1, uptoMs: to }, 10_000);
        if (String(askForward(timing, from, to)) !== String(expected) || String(back) !== String(expected))
          wrong.push(`${zone} ${new Date(change).toISOString()}`);
      }
    }
    expect(changes).toBeGreaterThan(500);
    expect(wrong).toEqual([]);
  });

  const findOffset = (zone: string, ms: number): string =>
    Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(zone).offset;
});

describe('unusual changes of the clock', () => {
  test.for([
    ['Pacific/Apia', '2011-12-30T10:00Z', 'a day is skipped'],
    ['Pacific/Kwajalein', '1993-08-21T12:00Z', 'a day is skipped'],
    ['America/Juneau', '1867-10-18T23:00Z', 'a day comes twice'],
    ['Australia/Lord_Howe', '2026-04-04T15:00Z', 'half an hour comes twice'],
    ['Australia/Lord_Howe', '2026-10-03T15:30Z', 'half an hour is skipped'],
    ['Asia/Pyongyang', '2015-08-14T15:00Z', 'half an hour comes twice'],
    ['Asia/Kathmandu', '1985-12-31T18:30Z', 'a quarter is skipped'],
    ['America/Caracas', '2016-05-01T07:00Z', 'half an hour is skipped'],
    ['Africa/Monrovia', '1972-01-07T00:44Z', 'the clock goes forward by 44 minutes and 30 seconds'],
    ['Africa/Casablanca', '2026-02-15T02:00Z', 'an hour comes twice in winter'],
    ['Europe/Dublin', '2026-03-29T01:00Z', 'standard time is in summer'],
    ['America/Sao_Paulo', '2018-11-04T03:00Z', 'midnight is skipped'],
    ['Africa/Cairo', '2026-04-23T22:00Z', 'midnight is skipped'],
    ['Antarctica/Troll', '2026-03-29T01:00Z', 'two hours are skipped'],
  ] as const)('%s, %s: %s', ([zone, at]) => {
    const change = Date.parse(at);
    // Before the age of railways, clocks were seconds apart.
    const isOld = change < Date.UTC(1973, 0);
    const span = {
      fromMs: change - 26 * hour,
      toMs: change + 26 * hour,
      stepMs: isOld ? 1000 : 30_000,
    };
    for (const [cron, fields] of patterns.slice(0, isOld ? 1 : 3)) {
      const timing = timingOf(cron, zone);
      const expected = walk(fields, zone, span);
      expect([cron, askForward(timing, span.fromMs, span.toMs)]).toEqual([cron, expected]);
      expect([cron, listTimes(timing, { afterMs: span.fromMs - 1, uptoMs: span.toMs }, 10_000)]).toEqual([
        cron,
        expected,
      ]);
    }
  });

  test('each second is due once when an hour comes twice, and none is lost when one is skipped', () => {
    const fields = { seconds: every(20, 59), minutes: every(1, 59), hours: every(1, 23), isDay: anyDay };
    const timing = timingOf('*/20 * * * * *', 'Europe/Berlin');
    for (const at of ['2026-10-25T01:00Z', '2026-03-29T01:00Z']) {
      const span = { fromMs: Date.parse(at) - 2 * hour, toMs: Date.parse(at) + 2 * hour, stepMs: 20_000 };
      expect(askForward(timing, span.fromMs, span.toMs)).toEqual(walk(fields, 'Europe/Berlin', span));
    }
  });

  test('the last time before any instant is the one that asking forward gives', () => {
    const timing = timingOf('*/30 * * * *', 'Australia/Lord_Howe');
    const change = Date.parse('2026-04-04T15:00Z');
    const times = askForward(timing, change - 5 * hour, change + 5 * hour);
    for (let at = change - 4 * hour; at < change + 4 * hour; at += 7 * minute)
      expect(findLastTime(timing, at)).toBe(times.findLast((time) => time <= at));
  });
});

describe('calendars', () => {
  const weekdays = (date: Temporal.PlainDate): boolean => date.dayOfWeek <= 5;
  const nth = (date: Temporal.PlainDate): number => Math.ceil(date.day / 7);
  const days: readonly (readonly [string, (date: Temporal.PlainDate) => boolean])[] = [
    ['0 0 29 2 *', (date) => date.month === 2 && date.day === 29],
    ['0 0 31 * *', (date) => date.day === 31],
    ['0 0 L * *', (date) => date.day === date.daysInMonth],
    ['0 0 L 2 *', (date) => date.month === 2 && date.day === date.daysInMonth],
    ['0 0 1 1 *', (date) => date.month === 1 && date.day === 1],
    ['0 0 31 dec *', (date) => date.month === 12 && date.day === 31],
    ['0 0 * * mon', (date) => date.dayOfWeek === 1],
    ['0 0 * * 0', (date) => date.dayOfWeek === 7],
    ['0 0 * * 7', (date) => date.dayOfWeek === 7],
    ['0 0 * * mon-fri', weekdays],
    ['0 0 * jan-mar,oct MON', (date) => [1, 2, 3, 10].includes(date.month) && date.dayOfWeek === 1],
    // Both days restricted: either is enough, as in every cron.
    ['0 0 13 * fri', (date) => date.day === 13 || date.dayOfWeek === 5],
    ['0 0 1,15 * 3', (date) => date.day === 1 || date.day === 15 || date.dayOfWeek === 3],
    ['0 0 * * mon#1', (date) => date.dayOfWeek === 1 && nth(date) === 1],
    ['0 0 * * fri#5', (date) => date.dayOfWeek === 5 && nth(date) === 5],
    ['0 0 * * 5L', (date) => date.dayOfWeek === 5 && date.day + 7 > date.daysInMonth],
    ['0 0 */10 * *', (date) => [1, 11, 21, 31].includes(date.day)],
    ['0 0 1-7/3 */4 *', (date) => [1, 4, 7].includes(date.day) && [1, 5, 9].includes(date.month)],
    ['@monthly', (date) => date.day === 1],
    ['@weekly', (date) => date.dayOfWeek === 7],
    ['@yearly', (date) => date.month === 1 && date.day === 1],
    ['@daily', () => true],
  ];

  test.for(days)('%s is due on the days that a calendar says, from 1999 to 2040', ([cron, isDay]) => {
    const timing = timingOf(cron, 'UTC');
    const expected: number[] = [];
    const end = Temporal.PlainDate.from('2040-12-31');
    for (
      let date = Temporal.PlainDate.from('1999-01-01');
      Temporal.PlainDate.compare(date, end) <= 0;
      date = date.add({ days: 1 })
    )
      if (isDay(date)) expected.push(date.toZonedDateTime('UTC').epochMilliseconds);
    const [from, to] = [Date.UTC(1999, 0, 1), Date.UTC(2040, 11, 31)];
    expect(askForward(timing, from, to)).toEqual(expected);
    expect(listTimes(timing, { afterMs: from - 1, uptoMs: to }, 100_000)).toEqual(expected);
  });
});
