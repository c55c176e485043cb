import type { Zone } from './zone.ts';

const dateForm = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?\s*(Z|[+-]\d\d:?\d\d)?)?$/i;

function offsetOf(text: string): number {
  if (text.toUpperCase() === 'Z') return 0;
  const minutes = Number(text.slice(1, 3)) * 60 + Number(text.slice(-2));
  return (text.startsWith('-') ? -1 : 1) * minutes * 60_000;
}

/** Which end of a day a date without a time means. */
export type DayEnd = 'first' | 'last';

/**
 * The instant of an ISO 8601 date, or date and time; undefined where it is not one.
 *
 * Without an offset the zone's clock is meant. A date alone is its first second, or its last.
 */
export function parseLocalDate(text: string, zone: Zone, dayEnd: DayEnd): number | undefined {
  const match = dateForm.exec(text.trim());
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour, minute, seconds] = match
    .slice(1, 7)
    .map((part) => (part === undefined ? undefined : Number(part)));
  const wall = Date.UTC(year, month - 1, day, hour ?? 0, minute ?? 0, seconds ?? 0);
  // February 30 and 25 o'clock would move on to the next day.
  const shown = new Date(wall).toISOString();
  const pad = (value: number | undefined): string => String(value ?? 0).padStart(2, '0');
  if (
    shown.slice(0, 19) !==
    `${String(year).padStart(4, '0')}-${pad(month)}-${pad(day)}T${pad(hour)}:${pad(minute)}:${pad(seconds)}`
  )
    return undefined;
  const offset = match[7];
  if (offset !== undefined) return wall - offsetOf(offset);
  if (hour === undefined && dayEnd === 'last') return zone.instantOf(wall + 86_400_000) - 1000;
  return zone.instantOf(wall);
}
