/**
 * Due times by brute force: every second or minute of a stretch is looked at, with Temporal for the zones.
 *
 * It shares no code with what it checks: neither the cron library nor Intl.
 */

/** What each field of a pattern allows; written out by the test, not parsed. */
export interface Fields {
  readonly seconds?: readonly number[];
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** True for a day that the date fields allow. */
  readonly isDay: (date: Temporal.PlainDate) => boolean;
}

/** All numbers from one to another, every so many. */
export const every = (step: number, last: number, first = 0): readonly number[] =>
  Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, index) => first + index * step);

function matches(fields: Fields, wall: Temporal.PlainDateTime): boolean {
  const { seconds = [0], minutes, hours, isDay } = fields;
  return (
    minutes.includes(wall.minute) &&
    hours.includes(wall.hour) &&
    seconds.includes(wall.second) &&
    isDay(wall.toPlainDate())
  );
}

/** Walks from one instant to another and gives those at which something is due, by the rule for clock changes. */
export function walk(
  fields: Fields,
  zone: string,
  span: { readonly fromMs: number; readonly toMs: number; readonly stepMs: number },
): readonly number[] {
  const { fromMs, toMs, stepMs } = span;
  const due: number[] = [];
  const wallOf = (ms: number): Temporal.PlainDateTime =>
    Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(zone).toPlainDateTime();
  const step = { milliseconds: stepMs };
  // The latest time that the clock has ever shown.
  let latest = wallOf(fromMs - stepMs);
  for (let ms = fromMs; ms <= toMs; ms += stepMs) {
    const wall = wallOf(ms);
    // Shown before: the clock went back, and every time counts once.
    if (Temporal.PlainDateTime.compare(wall, latest) <= 0) continue;
    // All that the clock has jumped over is due at its first moment after the gap.
    let isDue = false;
    for (
      let shown = latest.add(step);
      Temporal.PlainDateTime.compare(shown, wall) <= 0;
      shown = shown.add(step)
    )
      if (matches(fields, shown)) {
        isDue = true;
        break;
      }
    if (isDue) due.push(ms);
    latest = wall;
  }
  return due;
}

/** Instants at which a zone's clock changes, between two years. */
export function listChanges(zone: string, years: readonly [number, number]): readonly number[] {
  const changes: number[] = [];
  let at = Temporal.ZonedDateTime.from({ year: years[0], month: 1, day: 1, timeZone: zone });
  for (;;) {
    const next = at.getTimeZoneTransition('next');
    if (next === null || next.year >= years[1]) return changes;
    changes.push(next.epochMilliseconds);
    at = next;
  }
}
