/**
 * A time zone: what its clock on the wall shows, and when it shows it.
 *
 * A wall time is in milliseconds as if the zone were UTC. The rule for changes of the clock:
 *
 *     skipped (the clock goes forward)   means the first instant after the gap
 *     repeated (the clock goes back)     means its first time only
 *
 * With it, later wall times never mean earlier instants, which is all that finding the next one needs.
 */
export interface Zone {
  /** An IANA name. */
  readonly name: string;
  /** What the clock shows at an instant. */
  wallAt(instantMs: number): number;
  /** When the clock shows a time, by the rule. */
  instantOf(wallMs: number): number;
  /** The latest wall time whose instant is not after this one; whole seconds. */
  lastWallAt(instantMs: number): number;
}

const second = 1000;
/** No zone has ever been further from UTC than this. */
const farthestMs = 16 * 3_600_000;

/** The first instant with another offset than the one at `low`; `high` has it. To the second. */
function findChange(offsetAt: (ms: number) => number, low: number, high: number): number {
  const before = offsetAt(low);
  let [from, to] = [Math.floor(low / second), Math.ceil(high / second)];
  while (to - from > 1) {
    const middle = Math.floor((from + to) / 2);
    if (offsetAt(middle * second) === before) from = middle;
    else to = middle;
  }
  return to * second;
}

function makeOffsetAt(name: string): (instantMs: number) => number {
  const format = new Intl.DateTimeFormat('en-u-ca-iso8601-nu-latn', {
    timeZone: name,
    hourCycle: 'h23',
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
  });
  return (instantMs) => {
    const parts: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(instantMs)) parts[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second: seconds = 0 } = parts;
    return Date.UTC(year, month - 1, day, hour, minute, seconds) - Math.floor(instantMs / second) * second;
  };
}

const bucketMs = 900_000;
const maxBuckets = 4096;

/** Remembers offsets of stretches without a change: Intl takes long to answer, and is asked for the same days again. */
function rememberOffsets(offsetAt: (instantMs: number) => number): (instantMs: number) => number {
  const known = new Map<number, number | undefined>();
  return (instantMs) => {
    const bucket = Math.floor(instantMs / bucketMs);
    if (!known.has(bucket)) {
      if (known.size >= maxBuckets) known.clear();
      const first = offsetAt(bucket * bucketMs);
      known.set(bucket, first === offsetAt((bucket + 1) * bucketMs - second) ? first : undefined);
    }
    return known.get(bucket) ?? offsetAt(instantMs);
  };
}

const zones = new Map<string, Zone>();

/** A zone by its IANA name; undefined where there is none. */
export function findZone(name: string): Zone | undefined {
  const known = zones.get(name);
  if (known !== undefined) return known;
  let offsetAt: (instantMs: number) => number;
  try {
    offsetAt = rememberOffsets(makeOffsetAt(name));
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
  const zone = makeZone(name, offsetAt);
  zones.set(name, zone);
  return zone;
}

function makeZone(name: string, offsetAt: (instantMs: number) => number): Zone {
  const instantOf = (wallMs: number): number => {
    const [low, high] = [wallMs - farthestMs, wallMs + farthestMs];
    const [before, after] = [offsetAt(low), offsetAt(high)];
    if (before === after) return wallMs - before;
    const instants = [before, after]
      .map((offset) => ({ offset, instant: wallMs - offset }))
      .filter(({ offset, instant }) => offsetAt(instant) === offset)
      .map(({ instant }) => instant);
    // No instant shows a skipped time: the first one after the gap stands for it.
    return instants.length === 0 ? findChange(offsetAt, low, high) : Math.min(...instants);
  };
  return {
    name,
    instantOf,
    wallAt: (instantMs) => instantMs + offsetAt(instantMs),
    lastWallAt(instantMs) {
      const instant = Math.floor(instantMs / second) * second;
      const wall = instant + offsetAt(instant);
      const first = instantOf(wall);
      if (first === instant) return wall;
      // The clock shows this for the second time: what it showed just before it went back is the latest.
      const change = findChange(offsetAt, first, instant);
      return change - second + offsetAt(change - second);
    },
  };
}
