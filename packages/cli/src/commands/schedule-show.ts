import { StateFiles, readDefinition } from '@joyul/core/schedule';
import type { ActiveRun, PassedTimes, ScheduleDefinition } from '@joyul/core/schedule';
import { parseArguments } from '../args.ts';
import { exitCodes } from '../exit-codes.ts';
import { printDiagnostics } from '../pipeline-options.ts';
import { findProject } from '../project.ts';
import { describeSchedule, findStatus, viewSchedule } from '../schedule-view.ts';
import type { NextTime, ScheduleView } from '../schedule-view.ts';
import { describeStart, findScheduleName } from '../schedules.ts';
import {
  formatDistance,
  formatEnd,
  formatStamp,
  formatTime,
  localZone,
} from '../terminal/format-schedule.ts';
import { hasColor, makeStyle } from '../terminal/style.ts';

const flags = { json: { type: 'boolean' } } as const;

const shownNext = 5;
const shownRuns = 10;

/** A time by the schedule's clock, and by this machine's where it shows another one. */
export function formatNext({ timeMs, startMs }: NextTime, zone: ReturnType<typeof localZone>): string {
  const here = localZone();
  const byThis = here.name === zone.name ? '' : `  (${formatTime(timeMs, here)} by this clock)`;
  const later = startMs - timeMs < 1000 ? '' : `, starts ${formatTime(startMs, zone).slice(-8).trim()}`;
  return `${formatTime(timeMs, zone)} ${zone.name}${byThis}${later}`;
}

function describeRules(definition: ScheduleDefinition): string {
  const { cron, timezone = 'UTC', overlap = 'skip', catchup = 'none', ...rest } = definition;
  const words = [`cron ${cron}`, timezone, `overlap ${overlap}`, `catchup ${catchup}`];
  if (rest.catchup_window !== undefined) words.push(`within ${rest.catchup_window}`);
  if (rest.jitter !== undefined) words.push(`jitter ${rest.jitter}`);
  if (rest.pause_on_failure === true) words.push('a failure pauses it');
  if (rest.start !== undefined) words.push(`from ${rest.start}`);
  if (rest.end !== undefined) words.push(`until ${rest.end}`);
  return words.join(', ');
}

const count = (number: number, noun: string): string => `${number} ${noun}${number === 1 ? '' : 's'}`;

function describeActive(run: ActiveRun, unrecorded: ReadonlySet<number>): string {
  const { number, startedMs, processId, stopping } = run;
  const words = [`no. ${number}`, `started ${formatDistance(startedMs, Date.now())}`];
  if (unrecorded.has(number)) words.push('has ended; the next scheduler records how');
  else if (processId !== undefined) words.push(`process ${processId}`);
  if (stopping !== undefined) words.push('is told to end');
  return words.join(', ');
}

/** What is shown under the head, line by line. */
function listLines({ rules, state, next, unrecorded }: ScheduleView): readonly string[] {
  if (rules === undefined) return [];
  const { zone } = rules.timing;
  const at = (timeMs: number): string => `${formatTime(timeMs, zone)} ${zone.name}`;
  const lines: string[] = [];
  const passed = (times: PassedTimes | undefined, word: string): void => {
    if (times !== undefined)
      lines.push(`  ${count(times.count, 'time')} ${word}, the last at ${at(times.lastMs)}`);
  };
  const section = (title: string, items: readonly string[]): void => {
    if (items.length > 0) lines.push('', title, ...items.map((item) => `  ${item}`));
  };
  if (state?.paused !== undefined) {
    const { sinceMs, reason } = state.paused;
    lines.push(`  paused since ${formatStamp(sinceMs)}${reason === '' ? '' : `: ${reason}`}`);
  }
  section('next', next.length === 0 ? ['no time is left'] : next.map((time) => formatNext(time, zone)));
  section(
    'running',
    (state?.active ?? []).map((run) => `${describeActive(run, unrecorded)}, of ${at(run.timeMs)}`),
  );
  const waiting = state?.waiting ?? [];
  section('waiting', [
    ...waiting
      .slice(0, shownRuns)
      .map(({ number, timeMs, cause }) => `no. ${number} of ${at(timeMs)} (${cause})`),
    ...(waiting.length > shownRuns ? [`and ${waiting.length - shownRuns} more`] : []),
  ]);
  section(
    'last runs',
    (state?.ended ?? [])
      .slice(-shownRuns)
      .reverse()
      .map(
        (run) => `${formatStamp(run.startedMs)}  no. ${run.number} of ${at(run.timeMs)} ${formatEnd(run)}`,
      ),
  );
  if (state?.missed !== undefined || state?.skipped !== undefined) lines.push('', 'without a run');
  passed(state?.missed, 'missed');
  passed(state?.skipped, 'skipped');
  return lines;
}

/** `joyul schedule show`. */
export function showSchedule(argv: readonly string[]): Promise<number> {
  const args = parseArguments(argv, flags);
  const projectDir = findProject(process.cwd());
  const name = findScheduleName(projectDir, args.positionals[0]);
  const found = readDefinition(projectDir, name) ?? { name, diagnostics: [] };
  const view = viewSchedule(new StateFiles(projectDir), found, shownNext);
  const isBroken = found.definition === undefined;
  const exitCode = isBroken ? exitCodes.badPipeline : exitCodes.done;
  if (args.has('json')) {
    process.stdout.write(`${JSON.stringify(describeSchedule(view), null, 2)}\n`);
    return Promise.resolve(exitCode);
  }
  printDiagnostics(found.diagnostics);
  const style = makeStyle(hasColor(process.stdout));
  const { definition } = found;
  const lines = [
    `${style.bold(name)}: ${definition?.pipeline ?? ''} ${style.dim(`· ${findStatus(view)}`)}`,
    ...(definition === undefined ? [] : [`  ${describeRules(definition)}`]),
    ...(definition?.set === undefined ? [] : [`  set ${definition.set.join(', ')}`]),
    ...(definition?.profile === undefined ? [] : [`  profile ${definition.profile}`]),
    ...(definition?.params_file === undefined ? [] : [`  params from ${definition.params_file}`]),
    ...listLines(view),
    '',
    describeStart(projectDir),
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
  return Promise.resolve(exitCode);
}
