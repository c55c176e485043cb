import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { Schedule } from '../graph/graph.ts';
import type { ParsedDocument } from './document.ts';

interface CronField {
  readonly name: string;
  readonly least: number;
  readonly most: number;
  readonly words?: readonly string[];
}

const cronFields: readonly CronField[] = [
  { name: 'minute', least: 0, most: 59 },
  { name: 'hour', least: 0, most: 23 },
  { name: 'day of month', least: 1, most: 31 },
  {
    name: 'month',
    least: 1,
    most: 12,
    words: ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'],
  },
  { name: 'day of week', least: 0, most: 7, words: ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'] },
];

const isShorthand = (text: string): boolean =>
  /^@(yearly|annually|monthly|weekly|daily|midnight|hourly)$/.test(text);

function fitsField(text: string, field: CronField): boolean {
  const isValue = (part: string): boolean =>
    field.words?.includes(part.toLowerCase()) === true ||
    (/^\d+$/.test(part) && Number(part) >= field.least && Number(part) <= field.most);
  return text.split(',').every((item) => {
    const [range = '', every, ...rest] = item.split('/');
    const isEvery = every === undefined || (/^\d+$/.test(every) && Number(every) >= 1);
    const ends = range.split('-');
    return rest.length === 0 && isEvery && (range === '*' || (ends.length <= 2 && ends.every(isValue)));
  });
}

function findCronProblem(cron: string): string | undefined {
  if (isShorthand(cron)) return undefined;
  const fields = cron.trim().split(/\s+/);
  if (fields.length !== 5) return `has ${fields.length} fields, but must have five`;
  const wrong = cronFields.find((field, index) => !fitsField(fields[index] ?? '', field));
  if (wrong === undefined) return undefined;
  const text = fields[cronFields.indexOf(wrong)] ?? '';
  return `has "${text}" as its ${wrong.name}, which goes from ${wrong.least} to ${wrong.most}`;
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).format() !== '';
  } catch {
    return false;
  }
}

/** Checks what a schema cannot say about `schedule`. */
export function checkSchedule(
  schedule: Schedule | undefined,
  document: ParsedDocument,
  report: (diagnostic: Diagnostic) => void,
): void {
  if (schedule === undefined) return;
  const tell = (key: string, message: string, help: string): void =>
    report({
      code: 'SCHEDULE_INVALID',
      severity: 'error',
      message,
      range: document.rangeOf(['schedule', key]),
      help,
    });
  const problem = findCronProblem(schedule.cron);
  if (problem !== undefined)
    tell(
      'cron',
      `The cron expression ${problem}.`,
      'Write minute, hour, day of month, month, day of week: `0 3 * * *`.',
    );
  if (schedule.timezone !== undefined && !isTimeZone(schedule.timezone))
    tell(
      'timezone',
      `There is no time zone "${schedule.timezone}".`,
      'Write an IANA name such as `Europe/Berlin`.',
    );
  for (const key of ['start', 'end'] as const) {
    const value = schedule[key];
    if (value !== undefined && Number.isNaN(Date.parse(value)))
      tell(key, `"${value}" is not a date.`, 'Write a date as ISO 8601 does: `2026-01-31`.');
  }
}
