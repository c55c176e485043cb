import { StateFiles, readDefinitions } from '@joyul/core/schedule';
import { parseArguments } from '../args.ts';
import { exitCodes } from '../exit-codes.ts';
import { printDiagnostics } from '../pipeline-options.ts';
import { findProject } from '../project.ts';
import { describeSchedule, findStatus, viewSchedule } from '../schedule-view.ts';
import type { ScheduleView } from '../schedule-view.ts';
import { describeStart } from '../schedules.ts';
import { formatTable } from '../terminal/format-run.ts';
import { formatDistance, formatTime, localZone } from '../terminal/format-schedule.ts';
import { hasColor, makeStyle } from '../terminal/style.ts';

const flags = { json: { type: 'boolean' } } as const;

const shownNext = 5;

function makeRow(view: ScheduleView): readonly string[] {
  const { found, rules, state, next } = view;
  const [first] = next;
  const last = state?.ended.at(-1);
  const here = localZone();
  const zone = rules?.timing.zone ?? here;
  return [
    found.name,
    found.definition?.pipeline ?? '',
    found.definition?.cron ?? '',
    first === undefined ? '' : `${formatTime(first.timeMs, zone)} ${zone.name}`,
    first === undefined ? '' : formatTime(first.timeMs, here),
    last === undefined ? '' : `${last.end} ${formatDistance(last.endedMs, Date.now())}`,
    findStatus(view),
  ];
}

/** `joyul schedule list`. */
export function listSchedules(argv: readonly string[]): Promise<number> {
  const args = parseArguments(argv, flags);
  const projectDir = findProject(process.cwd());
  const files = new StateFiles(projectDir);
  const views = readDefinitions(projectDir).map((found) => viewSchedule(files, found, shownNext));
  if (args.has('json')) {
    process.stdout.write(`${JSON.stringify(views.map(describeSchedule), null, 2)}\n`);
    return Promise.resolve(exitCodes.done);
  }
  if (views.length === 0) {
    process.stdout.write('No schedules yet. `joyul schedule add PIPELINE --cron "0 3 * * *"` makes one.\n');
    return Promise.resolve(exitCodes.done);
  }
  printDiagnostics(views.flatMap(({ found }) => found.diagnostics));
  const isHere = views.every(
    ({ rules }) => rules === undefined || rules.timing.zone.name === localZone().name,
  );
  const columns = ['schedule', 'pipeline', 'cron', 'next', 'by this clock', 'last run', 'status'];
  const isShown = (column: number): boolean => !(isHere && column === 4);
  const rows = views.map((view) => makeRow(view).filter((_, index) => isShown(index)));
  const style = makeStyle(hasColor(process.stdout));
  const shown = columns.filter((_, index) => isShown(index));
  for (const line of formatTable(shown, rows, style, process.stdout.columns || 140))
    process.stdout.write(`${line}\n`);
  process.stdout.write(`${describeStart(projectDir)}\n`);
  return Promise.resolve(exitCodes.done);
}
