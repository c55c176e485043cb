import { expect, test } from 'vitest';
import { explain, graphOf } from './support.ts';

const withSchedule = (lines: string): string => `name: p
schedule:
${lines.replaceAll(/^/gm, '  ')}
steps:
  prepare: { uses: prepare }
`;

test('a schedule that runs is taken as it is', async () => {
  const graph = await graphOf(
    withSchedule('cron: "0 0 3 L * *"\ntimezone: Europe/Berlin\ncatchup: all\ncatchup_window: 90'),
  );
  expect(graph.schedule).toEqual({
    cron: '0 0 3 L * *',
    timezone: 'Europe/Berlin',
    catchup: 'all',
    catchup_window: 90,
  });
});

test('what the scheduler could not run is told with its place, all at once', async () => {
  expect(
    await explain(
      withSchedule(`cron: 0 3 31 2 *
timezone: Europe/Berln
jitter: "\${{ params.x }}"
start: 2026-03-01
end: 2026-02-01`),
    ),
  ).toBe(`
p.yaml:3:9 error SCHEDULE_INVALID  The cron expression is "0 3 31 2 *", a day that never comes.
    3 |   cron: 0 3 31 2 *
      |         ^^^^^^^^^^
  help: Write a day that the month has, or L for its last.

p.yaml:4:13 error SCHEDULE_INVALID  There is no time zone "Europe/Berln".
    4 |   timezone: Europe/Berln
      |             ^^^^^^^^^^^^
  help: Write an IANA name such as \`Europe/Berlin\`.

p.yaml:7:8 error SCHEDULE_INVALID  The schedule ends before it starts.
    7 |   end: 2026-02-01
      |        ^^^^^^^^^^
  help: Write a later end.

p.yaml:5:11 error SCHEDULE_INVALID  "\${{ params.x }}" is not a duration.
    5 |   jitter: "\${{ params.x }}"
      |           ^^^^^^^^^^^^^^^^^
  help: Write a number and a unit: \`30s\`, \`10m\`, \`2h\` or \`1d\`.
`);
});
