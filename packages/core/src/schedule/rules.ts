import type { Schedule } from '../graph/graph.ts';
import { parseDuration } from '../language/units.ts';
import { makeTiming } from '../timing/timing.ts';
import { formatCanonicalJson } from '../util/canonical-json.ts';
import type { ScheduleRules } from './state.ts';

/** Missed runs are made up for within this time, unless the schedule says otherwise. */
const defaultWindowMs = 365 * 86_400_000;

/** The rules that the state machine decides by, of a schedule that was found to have no problems. */
export function makeScheduleRules(name: string, schedule: Schedule): ScheduleRules {
  const made = makeTiming(schedule);
  if (!made.ok) throw new Error('Internal error: a schedule was not checked.');
  const { cron, timezone, start, end } = schedule;
  return {
    name,
    timing: made.timing,
    timesKey: formatCanonicalJson({ cron, timezone, start, end }),
    overlap: schedule.overlap ?? 'skip',
    catchup: schedule.catchup ?? 'none',
    catchupWindowMs: parseDuration(schedule.catchup_window) ?? defaultWindowMs,
    jitterMs: parseDuration(schedule.jitter) ?? 0,
    pauseOnFailure: schedule.pause_on_failure ?? false,
  };
}
