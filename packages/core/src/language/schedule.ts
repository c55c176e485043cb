import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { Schedule } from '../graph/graph.ts';
import { makeTiming } from '../timing/timing.ts';
import type { ParsedDocument } from './document.ts';
import { parseDuration } from './units.ts';

/** What is wrong with one key of a schedule. */
export interface ScheduleProblem {
  readonly key: keyof Schedule;
  readonly message: string;
  readonly help: string;
}

/** Finds what a schema cannot say about a schedule: what has no problem here is what runs. */
export function findScheduleProblems(schedule: Schedule): readonly ScheduleProblem[] {
  const timing = makeTiming(schedule);
  const problems: ScheduleProblem[] = timing.ok ? [] : [...timing.problems];
  for (const key of ['catchup_window', 'jitter'] as const) {
    const value = schedule[key];
    if (value !== undefined && parseDuration(value) === undefined)
      problems.push({
        key,
        message: `"${value}" is not a duration.`,
        help: 'Write a number and a unit: `30s`, `10m`, `2h` or `1d`.',
      });
  }
  return problems;
}

/** Checks what a schema cannot say about the schedule that stands under a path of the document. */
export function checkSchedule(
  schedule: Schedule,
  document: ParsedDocument,
  report: (diagnostic: Diagnostic) => void,
  path: readonly string[] = ['schedule'],
): void {
  for (const { key, message, help } of findScheduleProblems(schedule))
    report({
      code: 'SCHEDULE_INVALID',
      severity: 'error',
      message,
      range: document.rangeOf([...path, key]),
      help,
    });
}
