import { describeDiagnostic } from '@joyul/core';
import { findClaimedFate, findDelay, findNextTime, makeScheduleRules } from '@joyul/core/schedule';
import type { FoundDefinition, ScheduleRules, ScheduleState, StateFiles } from '@joyul/core/schedule';
import { describeEnded } from './terminal/format-schedule.ts';

/** A coming time of a schedule, and when its run starts: later by its jitter. */
export interface NextTime {
  readonly timeMs: number;
  readonly startMs: number;
}

/** All that a command shows of one schedule. */
export interface ScheduleView {
  readonly found: FoundDefinition;
  /** Absent when its file has errors. */
  readonly rules?: ScheduleRules;
  /** Absent before anything has looked at it. */
  readonly state?: ScheduleState;
  readonly next: readonly NextTime[];
  /** Numbers of runs whose process has ended, which no scheduler has recorded yet. */
  readonly unrecorded: ReadonlySet<number>;
}

/** The coming times of a schedule after an instant. */
export function listNextTimes(rules: ScheduleRules, afterMs: number, count: number): readonly NextTime[] {
  const { timing, name, jitterMs } = rules;
  const times: NextTime[] = [];
  let time = findNextTime(timing, afterMs);
  while (time !== undefined && times.length < count) {
    times.push({ timeMs: time, startMs: time + findDelay(timing, name, { timeMs: time, jitterMs }) });
    time = findNextTime(timing, time);
  }
  return times;
}

/** Reads what there is to show of a schedule. */
export function viewSchedule(files: StateFiles, found: FoundDefinition, count: number): ScheduleView {
  const state = files.read(found.name);
  const rules = found.definition === undefined ? undefined : makeScheduleRules(found.name, found.definition);
  return {
    found,
    ...(rules === undefined ? {} : { rules }),
    ...(state === undefined ? {} : { state }),
    next: rules === undefined ? [] : listNextTimes(rules, Date.now(), count),
    unrecorded: new Set(state === undefined ? [] : listUnrecorded(files, found.name, state)),
  };
}

/** Looks at the processes of runs: without a scheduler nobody else does. */
function listUnrecorded(files: StateFiles, name: string, state: ScheduleState): readonly number[] {
  return state.active.flatMap(({ number, attempt }) => {
    // As if a process were on its way: looking must not give up a run.
    const fate = findClaimedFate(files.runDir(name, state.series, number), attempt, true);
    return fate.kind === 'ended' ? [number] : [];
  });
}

/** What a schedule is doing, in a word. */
export function findStatus({
  rules,
  state,
  next,
  unrecorded,
}: ScheduleView): 'broken' | 'paused' | 'running' | 'over' | 'active' {
  if (rules === undefined) return 'broken';
  if (state?.paused !== undefined) return 'paused';
  if ((state?.active.length ?? 0) > unrecorded.size) return 'running';
  return next.length === 0 ? 'over' : 'active';
}

const toIso = (timeMs: number): string => new Date(timeMs).toISOString();

/** A schedule, for programs. */
export function describeSchedule(view: ScheduleView): Readonly<Record<string, unknown>> {
  const { found, state, next, unrecorded } = view;
  const { paused, missed, skipped } = state ?? {};
  const passed = (times: typeof missed): unknown =>
    times === undefined ? { count: 0 } : { count: times.count, lastScheduledAt: toIso(times.lastMs) };
  return {
    name: found.name,
    status: findStatus(view),
    ...found.definition,
    diagnostics: found.diagnostics.map(describeDiagnostic),
    next: next.map(({ timeMs, startMs }) => ({ scheduledAt: toIso(timeMs), startsAt: toIso(startMs) })),
    ...(paused === undefined
      ? {}
      : { paused: { since: toIso(paused.sinceMs), reason: paused.reason, by: paused.by } }),
    running: (state?.active ?? []).map(
      ({ number, cause, timeMs, startedMs, phase, processId, stopping }) => ({
        number,
        cause,
        scheduledAt: toIso(timeMs),
        startedAt: toIso(startedMs),
        phase: unrecorded.has(number) ? 'ended' : stopping === undefined ? phase : 'stopping',
        ...(processId === undefined ? {} : { processId }),
      }),
    ),
    waiting: (state?.waiting ?? []).map(({ number, cause, timeMs }) => ({
      number,
      cause,
      scheduledAt: toIso(timeMs),
    })),
    runs: (state?.ended ?? []).toReversed().map(describeEnded),
    missed: passed(missed),
    skipped: passed(skipped),
  };
}
