import { Cron } from 'croner';

/** Times of a cron expression as a clock on the wall shows them: milliseconds as if the zone were UTC. */
export interface CronPattern {
  /** As it was written. */
  readonly text: string;
  /** The first one after a time; undefined where none comes. */
  next(wallMs: number): number | undefined;
  /** The last one before a time; undefined where there was none. */
  previous(wallMs: number): number | undefined;
}

/** A pattern, or what is wrong with it: the message goes on after `The cron expression`. */
export type CronResult =
  | { readonly ok: true; readonly pattern: CronPattern }
  | { readonly ok: false; readonly message: string; readonly help: string };

interface Field {
  readonly name: string;
  readonly range: string;
}

const fields: readonly Field[] = [
  { name: 'second', range: '0 to 59' },
  { name: 'minute', range: '0 to 59' },
  { name: 'hour', range: '0 to 23' },
  { name: 'day of month', range: '1 to 31, or L for the last' },
  { name: 'month', range: '1 to 12, or jan to dec' },
  { name: 'day of week', range: '0 to 7, or sun to sat' },
];

const words = ['yearly', 'annually', 'monthly', 'weekly', 'daily', 'midnight', 'hourly'];
const usual = 'Write minute, hour, day of month, month, day of week: `0 3 * * *`.';

/** A pattern that can never match is looked for from here, so that the answer does not change with the day. */
const anyTime = Date.UTC(2000, 0, 1);

function makeCron(text: string): Cron | undefined {
  try {
    // A fixed offset, not a zone: the library would skip what a clock change skips, and repeat what it repeats.
    // Ours are other rules (see zone.ts), so it only sees a clock that never changes.
    return new Cron(text, { utcOffset: 0, paused: true, mode: '5-or-6-parts' });
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) return undefined;
    throw error;
  }
}

function makePattern(text: string, cron: Cron): CronPattern {
  return {
    text,
    next: (wallMs) => cron.nextRun(new Date(wallMs))?.getTime(),
    // The library looks before the whole second of its reference.
    previous: (wallMs) => cron.previousRuns(1, new Date(Math.ceil(wallMs / 1000) * 1000))[0]?.getTime(),
  };
}

/** Which help fits a field that cannot be read. */
function explainField(text: string, field: Field): string {
  const step = /^(\d+)\/(\d+)$/.exec(text);
  if (step !== null)
    return `Write a range before the step: \`${step[1] ?? ''}-${field.range.split(' ')[2]?.replace(',', '') ?? ''}/${step[2] ?? ''}\`.`;
  const backwards = /^(\w+)-(\w+)$/.exec(text);
  if (backwards !== null && Number(backwards[1]) > Number(backwards[2]))
    return 'A range goes upwards; write two of them with a comma between: `22-23,0-2`.';
  return usual;
}

function explainFields(parts: readonly string[]): { readonly message: string; readonly help: string } {
  const known = parts.length === 6 ? fields : fields.slice(1);
  for (const [index, field] of known.entries()) {
    const text = parts[index] ?? '';
    // The parser itself says which field it does not take: all others are made harmless.
    const alone = known.map((_, at) => (at === index ? text : '*')).join(' ');
    if (makeCron(alone) === undefined)
      return {
        message: `has "${text}" as its ${field.name}, which goes from ${field.range}`,
        help: explainField(text, field),
      };
  }
  return { message: 'cannot be read', help: usual };
}

/** Parses a cron expression of five fields, six with seconds before them, or a word such as `@daily`. */
export function parseCron(text: string): CronResult {
  const trimmed = text.trim();
  if (trimmed.startsWith('@') && !words.includes(trimmed.slice(1).toLowerCase()))
    return {
      ok: false,
      message: `is "${trimmed}", which is no known word`,
      help: `Write one of ${words.map((word) => `@${word}`).join(', ')}, or five fields: \`0 3 * * *\`.`,
    };
  const parts = trimmed === '' ? [] : trimmed.split(/\s+/);
  if (!trimmed.startsWith('@') && parts.length !== 5 && parts.length !== 6)
    return {
      ok: false,
      message: `has ${parts.length} ${parts.length === 1 ? 'field' : 'fields'}, but must have five, or six with seconds`,
      help: usual,
    };
  const cron = makeCron(trimmed);
  if (cron === undefined) return { ok: false, ...explainFields(parts) };
  if (cron.nextRun(new Date(anyTime)) === null)
    return {
      ok: false,
      message: `is "${trimmed}", a day that never comes`,
      help: 'Write a day that the month has, or L for its last.',
    };
  return { ok: true, pattern: makePattern(trimmed, cron) };
}
