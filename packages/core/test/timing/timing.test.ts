import { describe, expect, test } from 'vitest';
import { parseLocalDate } from '../../src/timing/local-date.ts';
import type { TimingSpec } from '../../src/timing/timing.ts';
import { findDelay, findLastTime, findNextTime, listTimes, makeTiming } from '../../src/timing/timing.ts';
import type { Timing } from '../../src/timing/timing.ts';
import { findZone } from '../../src/timing/zone.ts';

function timingOf(spec: TimingSpec): Timing {
  const made = makeTiming(spec);
  if (!made.ok) throw new Error(JSON.stringify(made.problems));
  return made.timing;
}

const at = (text: string): number => Date.parse(text);
const iso = (ms: number | undefined): string | undefined =>
  ms === undefined ? undefined : new Date(ms).toISOString().replace('.000Z', 'Z');

describe('start and end', () => {
  const timing = timingOf({
    cron: '0 3 * * *',
    timezone: 'Europe/Berlin',
    start: '2026-03-01',
    end: '2026-03-03',
  });

  test('nothing is due before the start, and the last day counts whole', () => {
    const times = listTimes(timing, { afterMs: 0, uptoMs: at('2030-01-01') }, 100);
    expect(times.map(iso)).toEqual(['2026-03-01T02:00:00Z', '2026-03-02T02:00:00Z', '2026-03-03T02:00:00Z']);
    expect(iso(findNextTime(timing, at('2020-01-01')))).toBe('2026-03-01T02:00:00Z');
    expect(findNextTime(timing, at('2026-03-03T02:00Z'))).toBeUndefined();
    expect(findLastTime(timing, at('2026-03-01T01:59Z'))).toBeUndefined();
  });

  test('a start at a due time counts, to the second', () => {
    const exact = timingOf({ cron: '0 3 * * *', start: '2026-03-01T03:00', end: '2026-03-01T03:00:00Z' });
    expect(iso(findNextTime(exact, 0))).toBe('2026-03-01T03:00:00Z');
    expect(findNextTime(exact, at('2026-03-01T03:00Z'))).toBeUndefined();
  });

  test('an end before the start is told, beside all other mistakes', () => {
    const made = makeTiming({ cron: 'x', timezone: 'Mars', start: '2026-02-30', end: 'soon' });
    expect(made.ok ? [] : made.problems.map(({ key }) => key)).toEqual(['cron', 'timezone', 'start', 'end']);
    const reversed = makeTiming({ cron: '@daily', start: '2026-02-02', end: '2026-02-01' });
    expect(reversed.ok ? [] : reversed.problems.map(({ message }) => message)).toEqual([
      'The schedule ends before it starts.',
    ]);
  });
});

test.for([
  ['2026-01-31', '2026-01-30T23:00:00Z'],
  ['2026-01-31T18:00', '2026-01-31T17:00:00Z'],
  ['2026-01-31 18:00:05', '2026-01-31T17:00:05Z'],
  ['2026-01-31T18:00Z', '2026-01-31T18:00:00Z'],
  ['2026-01-31T18:00:00.250+05:30', '2026-01-31T12:30:00Z'],
  ['2026-01-31T18:00-0800', '2026-02-01T02:00:00Z'],
  ['2026-03-29T02:30', '2026-03-29T01:00:00Z'],
  ['2026-02-30', undefined],
  ['2026-13-01', undefined],
  ['2026-01-31T24:00', undefined],
  ['31.1.2026', undefined],
  ['tomorrow', undefined],
  ['2026', undefined],
] as const)('%s in Berlin is %s', ([text, expected]) => {
  const zone = findZone('Europe/Berlin');
  expect(zone === undefined ? '' : iso(parseLocalDate(text, zone, 'first'))).toBe(expected);
});

describe('jitter', () => {
  const timing = timingOf({ cron: '*/10 * * * *' });
  const delays = (name: string, jitterMs: number): readonly number[] =>
    Array.from({ length: 200 }, (_, index) => findDelay(timing, name, { timeMs: index * 600_000, jitterMs }));

  test('is the same for one schedule and time, and another for others', () => {
    expect(delays('a', 60_000)).toEqual(delays('a', 60_000));
    expect(delays('a', 60_000)).not.toEqual(delays('b', 60_000));
    expect(new Set(delays('a', 60_000)).size).toBeGreaterThan(190);
  });

  test('is spread over all of its range, and never past the next time', () => {
    const spread = delays('a', 60_000);
    expect([Math.min(...spread) < 3000, Math.max(...spread) > 57_000, Math.max(...spread) < 60_000]).toEqual([
      true,
      true,
      true,
    ]);
    expect(Math.max(...delays('a', 86_400_000))).toBeLessThan(600_000);
    expect(Math.max(...delays('a', 0))).toBe(0);
  });
});

test('of many times the newest are listed', () => {
  const times = listTimes(
    timingOf({ cron: '* * * * *' }),
    { afterMs: 0, uptoMs: at('2026-01-01T00:10Z') },
    3,
  );
  expect(times.map(iso)).toEqual(['2026-01-01T00:08:00Z', '2026-01-01T00:09:00Z', '2026-01-01T00:10:00Z']);
});
