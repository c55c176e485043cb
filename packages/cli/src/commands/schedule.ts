import { findNearest } from '@joyul/core';
import type { Command } from '../command.ts';
import { UsageError } from '../usage-error.ts';

type Action = (argv: readonly string[]) => Promise<number>;

/** Each action is loaded when it is named. */
const actions: Readonly<Record<string, () => Promise<Action>>> = {
  add: async () => (await import('./schedule-add.ts')).addSchedule,
  list: async () => (await import('./schedule-list.ts')).listSchedules,
  show: async () => (await import('./schedule-show.ts')).showSchedule,
  next: async () => (await import('./schedule-next.ts')).showNext,
  start: async () => (await import('./schedule-start.ts')).startScheduler,
  pause: async () => (await import('./schedule-change.ts')).pauseSchedule,
  resume: async () => (await import('./schedule-change.ts')).resumeSchedule,
  trigger: async () => (await import('./schedule-change.ts')).triggerSchedule,
  backfill: async () => (await import('./schedule-backfill.ts')).backfillSchedule,
  remove: async () => (await import('./schedule-change.ts')).removeSchedule,
  install: async () => (await import('./schedule-install.ts')).installScheduler,
};

/** `joyul schedule`. */
export const schedule: Command = {
  usage: `joyul schedule ACTION [NAME] [flags]

Runs pipelines by themselves. A schedule is a file, schedules/NAME.yaml: read it, change it, commit it.

  add [PIPELINE]     make a schedule; without --cron the pipeline's own \`schedule:\` is taken
      --cron TEXT             minute hour day month weekday: "0 3 * * mon-fri"; with six fields, seconds first;
                              L and # as in "0 0 L * *", "0 9 * * mon#1"; or @hourly @daily @weekly @monthly @yearly
      --timezone NAME         such as Europe/Berlin; the default is UTC
      --name NAME             the default is the pipeline's file name
      --overlap POLICY        when the last run still runs: skip (the default), buffer_one, buffer_all,
                              cancel_other, terminate_other, allow_all
      --catchup WHICH         missed runs that are made up for: none (the default), last, all
      --catchup-window TIME   but not those missed longer ago than this: 12h
      --jitter TIME           start up to so much later, always alike for one schedule and time
      --pause-on-failure      a failed run pauses the schedule
      --start DATE --end DATE nothing before, nothing after
  -s, --set NAME=VALUE, --params-file FILE, --profile NAME   as for \`joyul run\`
      --replace               in the place of one with this name
  list               all schedules, with their next times
  show [NAME]        one of them: next times, what runs and waits, the last runs
  next [NAME]        the next times: -n 20; or of any --cron TEXT --timezone NAME
  start              run what is due, until Ctrl-C; runs go on after it, and the next start takes them up again
      --wait                  when another scheduler runs here, wait until it ends
      --if-none               when another one runs here, leave with 0
  pause [NAME]       start nothing more by itself; --reason TEXT
  resume [NAME]      start again; what passed while it was paused is not made up for
  trigger [NAME]     start a run now; --overlap POLICY, the default is allow_all
  backfill [NAME]    run past times: --from DATE --to DATE
      --overlap POLICY        the default is buffer_all: one after the other
  -n, --dry-run               only say which
  remove [NAME]      forget it; runs that are under way go on
  install            print a service that keeps \`start\` running: --systemd (a user unit) or --crontab (a line)
      --write                 put it in its place

  --json             for programs; every action has it

When clocks change: a local time that is skipped means the first moment after it, and one that comes twice
means the first. A time that is at most a minute late is on time; what is later was missed.
A run knows its time as JOYUL_SCHEDULED_AT. One scheduler runs in a project at a time; a second one leaves with 2.`,
  async run([name = 'list', ...argv]) {
    const load = Object.hasOwn(actions, name) ? actions[name] : undefined;
    if (load !== undefined) return (await load())(argv);
    const nearest = findNearest(name, Object.keys(actions));
    throw new UsageError(
      `There is no \`joyul schedule ${name}\`. ${nearest === undefined ? `Write one of ${Object.keys(actions).join(', ')}.` : `Did you mean "${nearest}"?`}`,
    );
  },
};
