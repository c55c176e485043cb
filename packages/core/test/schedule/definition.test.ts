import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { formatDiagnostic } from '../../src/diagnostics/diagnostic.ts';
import {
  isScheduleName,
  listScheduleNames,
  readDefinition,
  readDefinitions,
  writeDefinition,
} from '../../src/schedule/definition.ts';

let dir = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'joyul-definition-'));
  mkdirSync(join(dir, 'schedules'));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const write = (text: string): void => {
  writeFileSync(join(dir, 'schedules', 'nightly.yaml'), text);
};

/** All that is told about a definition, as it is printed. */
function explain(text: string): string {
  write(text);
  const found = readDefinition(dir, 'nightly');
  return `\n${found?.diagnostics.map((diagnostic) => formatDiagnostic(diagnostic)).join('\n\n') ?? ''}\n`;
}

test('what is written is read again', () => {
  const definition = {
    pipeline: 'pipelines/x.yaml',
    cron: '0 3 * * *',
    timezone: 'Europe/Berlin',
    set: ['lr=1e-4', 'note=a: b # c'],
    profile: 'large',
    catchup: 'all',
    catchup_window: '12h',
  } as const;
  expect(writeDefinition(dir, 'nightly', definition)).toBe('schedules/nightly.yaml');
  expect(readDefinition(dir, 'nightly')).toEqual({ name: 'nightly', definition, diagnostics: [] });
  expect(readFileSync(join(dir, 'schedules', 'nightly.yaml'), 'utf8')).toMatch(
    /^# When `joyul schedule start`/,
  );
});

test('all mistakes of a file are told at once, each with its place', () => {
  expect(
    explain(`pipeline: p.yaml
cron: 0 25 * * *
timezone: Mars/Base
jitter: soon
end: 2026-02-30
`),
  ).toBe(`
schedules/nightly.yaml:4:9 error WRONG_TYPE  "jitter" must be a duration such as 30s, 10m or 2h, or a number of seconds, but is "soon".
    4 | jitter: soon
      |         ^^^^
  help: Write a value such as \`jitter: 5m\`.
`);
  expect(
    explain(`pipeline: p.yaml
cron: 0 25 * * *
timezone: Mars/Base
end: 2026-02-30
`),
  ).toBe(`
schedules/nightly.yaml:2:7 error SCHEDULE_INVALID  The cron expression has "25" as its hour, which goes from 0 to 23.
    2 | cron: 0 25 * * *
      |       ^^^^^^^^^^
  help: Write minute, hour, day of month, month, day of week: \`0 3 * * *\`.

schedules/nightly.yaml:3:11 error SCHEDULE_INVALID  There is no time zone "Mars/Base".
    3 | timezone: Mars/Base
      |           ^^^^^^^^^
  help: Write an IANA name such as \`Europe/Berlin\`.

schedules/nightly.yaml:4:6 error SCHEDULE_INVALID  "2026-02-30" is not a date.
    4 | end: 2026-02-30
      |      ^^^^^^^^^^
  help: Write a date as ISO 8601 does: \`2026-01-31\` or \`2026-01-31T18:00\`.
`);
});

test('an unknown key is told with the nearest known one', () => {
  expect(explain('pipeline: p.yaml\ncron: "@daily"\noverlaps: skip\n')).toContain('overlap');
});

test('a file without a pipeline is none', () => {
  expect(explain('cron: "@daily"\n')).toContain('pipeline');
});

test('names are the files, sorted; what is no name is left alone', () => {
  write('pipeline: p.yaml\ncron: "@daily"\n');
  writeFileSync(join(dir, 'schedules', 'a.yaml'), 'cron: 5\n');
  writeFileSync(join(dir, 'schedules', '.hidden.yaml'), '');
  writeFileSync(join(dir, 'schedules', 'notes.md'), '');
  expect(listScheduleNames(dir)).toEqual(['a', 'nightly']);
  expect(readDefinitions(dir).map(({ definition }) => definition?.pipeline)).toEqual([undefined, 'p.yaml']);
  expect(readDefinition(dir, 'gone')).toBeUndefined();
});

test('a name is letters, digits and a few signs, in any script', () => {
  expect(
    ['nightly', '밤마다', 'a.b_c-1', '', '.x', 'a/b', '-x', 'a b', 'x'.repeat(101)].map(isScheduleName),
  ).toEqual([true, true, true, false, false, false, false, false, false]);
});
