import { expect, test } from 'vitest';
import { parseCron } from '../../src/timing/cron.ts';

/** What is told about an expression; undefined when it is fine. */
function explain(text: string): string | undefined {
  const result = parseCron(text);
  return result.ok ? undefined : `${result.message} | ${result.help}`;
}

test.for([
  '0 3 * * *',
  '  0   3 * * *  ',
  '*/5 * * * * *',
  '0 9-17/2 * * mon-fri',
  '0 0 1,15 jan,JUL *',
  '0 0 L * *',
  '0 0 LW * *',
  '0 0 15W * *',
  '0 0 * * fri#2',
  '0 0 * * 5L',
  '0 0 29 2 *',
  '0 0 ? * mon',
  '@daily',
  '@Midnight',
  '@hourly',
  '@weekly',
  '@monthly',
  '@yearly',
  '@annually',
])('%j is a schedule', (text) => {
  expect(explain(text)).toBeUndefined();
});

const usual = 'Write minute, hour, day of month, month, day of week: `0 3 * * *`.';

test.for([
  ['', `has 0 fields, but must have five, or six with seconds | ${usual}`],
  ['daily', `has 1 field, but must have five, or six with seconds | ${usual}`],
  ['0 0 0 1 1 * 2030', `has 7 fields, but must have five, or six with seconds | ${usual}`],
  ['2026-01-01T00:00:00', `has 1 field, but must have five, or six with seconds | ${usual}`],
  ['60 * * * *', `has "60" as its minute, which goes from 0 to 59 | ${usual}`],
  ['0 24 * * *', `has "24" as its hour, which goes from 0 to 23 | ${usual}`],
  ['0 0 0 * *', `has "0" as its day of month, which goes from 1 to 31, or L for the last | ${usual}`],
  ['0 0 * 13 *', `has "13" as its month, which goes from 1 to 12, or jan to dec | ${usual}`],
  ['0 0 * * 8', `has "8" as its day of week, which goes from 0 to 7, or sun to sat | ${usual}`],
  ['0 0 * * mo', `has "mo" as its day of week, which goes from 0 to 7, or sun to sat | ${usual}`],
  ['90 0 0 * * *', `has "90" as its second, which goes from 0 to 59 | ${usual}`],
  ['*/0 * * * *', `has "*/0" as its minute, which goes from 0 to 59 | ${usual}`],
  [
    '5/15 * * * *',
    'has "5/15" as its minute, which goes from 0 to 59 | Write a range before the step: `5-59/15`.',
  ],
  [
    '0 22-2 * * *',
    'has "22-2" as its hour, which goes from 0 to 23 | A range goes upwards; write two of them with a comma between: `22-23,0-2`.',
  ],
  [
    '@reboot',
    'is "@reboot", which is no known word | Write one of @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, or five fields: `0 3 * * *`.',
  ],
  [
    '0 0 30 2 *',
    'is "0 0 30 2 *", a day that never comes | Write a day that the month has, or L for its last.',
  ],
] as const)('%j is none: %s', ([text, message]) => {
  expect(explain(text)).toBe(message);
});
