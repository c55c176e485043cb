/**
 * The schedule as a state machine: no clock, no files, no processes.
 *
 *     (state, event, rules) -> (state, effects)
 *
 *     due time ──decide──> waiting ──start──> active: starting ──claimed──> running ──> ended
 *                  │                              │ its process died first: tried again
 *                  └ skipped, missed              └ stopping: told to end, then killed
 *
 * Whoever drives it writes the new state to disk before anything else is done, so that a crash leaves an
 * intention without its deed, never a deed without its intention.
 */
import { findDelay, findNextTime, listTimes } from '../timing/timing.ts';
import { ChangeLog } from './change-log.ts';
import { enqueue, startWaiting } from './queue.ts';
import type {
  ActiveRun,
  Pause,
  RunFate,
  ScheduleCommand,
  ScheduleEffect,
  ScheduleEvent,
  ScheduleRules,
  ScheduleState,
} from './state.ts';
import {
  addCommand,
  addEnded,
  addTaken,
  graceMs,
  maxFailures,
  maxWaiting,
  terminateAfterMs,
} from './state.ts';

/** What an event leads to. */
export interface Transition {
  readonly state: ScheduleState;
  readonly effects: readonly ScheduleEffect[];
}

/** Moves a schedule by one event. */
export function transition(state: ScheduleState, event: ScheduleEvent, rules: ScheduleRules): Transition {
  const log = new ChangeLog(state);
  switch (event.kind) {
    case 'tick':
      decide(log, event.nowMs, rules);
      startWaiting(log, event.nowMs);
      signalStopping(log, event.nowMs);
      break;
    case 'found':
      takeFate(log, event, rules);
      break;
    case 'told':
      changeRun(log, event.number, (run) =>
        run.stopping === undefined ? run : { ...run, stopping: { ...run.stopping, isTold: true } },
      );
      break;
    case 'command':
      takeCommand(log, event, rules);
      break;
  }
  const wakeMs = event.kind === 'tick' ? findWake(log.state, event.nowMs, rules) : undefined;
  return log.finish(wakeMs);
}

const changeRun = (log: ChangeLog, number: number, change: (run: ActiveRun) => ActiveRun): void =>
  log.set({ active: log.state.active.map((run) => (run.number === number ? change(run) : run)) });

/** Decides about all times that are due: which get a run, and which have passed. */
function decide(log: ChangeLog, nowMs: number, rules: ScheduleRules): void {
  adaptTimes(log, nowMs, rules);
  const { state } = log;
  // What was due before a pause is decided also while it lasts; what comes in it waits for its end, and then passes.
  const span = { afterMs: state.decidedMs, uptoMs: Math.min(nowMs, state.paused?.sinceMs ?? nowMs) };
  // One more than is kept, to see that there are more.
  const all = listTimes(rules.timing, span, maxWaiting + 1);
  const due = all.filter((timeMs) => dueAt(timeMs, rules) <= nowMs);
  const last = due.at(-1);
  if (last === undefined) return;
  log.set({ decidedMs: last });
  const kept = chooseTimes(due, nowMs, rules).filter((timeMs) => !state.taken.includes(timeMs));
  const passed = due.filter((timeMs) => !kept.includes(timeMs) && !state.taken.includes(timeMs));
  const lastPassed = passed.at(-1);
  if (lastPassed !== undefined) log.pass('missed', { count: passed.length, lastMs: lastPassed });
  for (const timeMs of kept) {
    log.replace(addTaken(log.state, timeMs));
    const isLate = nowMs - dueAt(timeMs, rules) > graceMs;
    enqueue(log, nowMs, {
      cause: isLate ? 'catch-up' : 'time',
      timeMs,
      // Runs that are made up for wait for each other: with `skip` only the first would start.
      overlap: isLate && rules.overlap !== 'allow_all' ? 'buffer_all' : rules.overlap,
    });
  }
}

/** Keeps the memory of decided times right when the clock or the rules have changed. */
function adaptTimes(log: ChangeLog, nowMs: number, rules: ScheduleRules): void {
  if (log.state.timesKey !== rules.timesKey) {
    log.set({ timesKey: rules.timesKey, decidedMs: Math.max(nowMs, log.state.forgottenMs) });
    log.tell({ kind: 'times-changed' });
  }
  const { decidedMs, forgottenMs, paused } = log.state;
  // The clock went back behind the pause: it must not end because of that.
  if (paused !== undefined && nowMs < paused.sinceMs) log.set({ paused: { ...paused, sinceMs: nowMs } });
  if (nowMs >= decidedMs) return;
  // The clock went back. Times that come again get a run, unless they had one.
  const backMs = Math.max(nowMs, forgottenMs);
  if (backMs === decidedMs) return;
  log.set({ decidedMs: backMs });
  log.tell({ kind: 'clock-back', fromMs: decidedMs, toMs: nowMs });
}

const dueAt = (timeMs: number, { timing, name, jitterMs }: ScheduleRules): number =>
  timeMs + findDelay(timing, name, { timeMs, jitterMs });

/** The due times that get a run. */
function chooseTimes(due: readonly number[], nowMs: number, rules: ScheduleRules): readonly number[] {
  const windowMs = rules.catchup === 'none' ? graceMs : Math.max(graceMs, rules.catchupWindowMs);
  const timely = due.filter((timeMs) => nowMs - dueAt(timeMs, rules) <= windowMs);
  return rules.catchup === 'all' ? timely.slice(-maxWaiting) : timely.slice(-1);
}

/** Tells runs to end that must, and kills those that did not. */
function signalStopping(log: ChangeLog, nowMs: number): void {
  for (const run of log.state.active) {
    if (run.stopping === undefined) continue;
    const { how, sinceMs, isTold } = run.stopping;
    // A clock that went back must not make the grace endless.
    const waitedMs = Math.abs(nowMs - sinceMs);
    if (!isTold) log.signal(run, 'SIGTERM');
    else if (how === 'terminate' && waitedMs >= terminateAfterMs) log.signal(run, 'SIGKILL');
  }
}

function takeFate(
  log: ChangeLog,
  event: Extract<ScheduleEvent, { kind: 'found' }>,
  rules: ScheduleRules,
): void {
  const { number, fate } = event;
  const run = log.state.active.find((item) => item.number === number);
  if (run === undefined) return;
  switch (fate.kind) {
    case 'starting':
      return;
    case 'running':
      if (run.phase === 'starting')
        changeRun(log, number, (item) => ({ ...item, phase: 'running', processId: fate.processId }));
      return;
    case 'never started':
      startAgain(log, run, event, rules);
      return;
    case 'ended':
      endRun(log, run, fate, rules);
  }
}

/** An attempt came to nothing: the next one is made, unless the run is to end or it happened too often. */
function startAgain(
  log: ChangeLog,
  run: ActiveRun,
  { nowMs, fate }: Extract<ScheduleEvent, { kind: 'found' }>,
  rules: ScheduleRules,
): void {
  const failures = run.failures + (fate.kind === 'never started' && fate.isFailed ? 1 : 0);
  if (run.stopping !== undefined)
    endRun(log, run, { kind: 'ended', end: 'cancelled', endedMs: nowMs }, rules);
  else if (failures < maxFailures) {
    changeRun(log, run.number, (item) => ({ ...item, attempt: item.attempt + 1, failures }));
    log.start(run.number);
  } else {
    const message = 'its process ended before it could begin';
    endRun(log, run, { kind: 'ended', end: 'never started', endedMs: nowMs, message }, rules);
  }
}

type EndFate = Extract<RunFate, { kind: 'ended' }>;

function endRun(log: ChangeLog, run: ActiveRun, fate: EndFate, rules: ScheduleRules): void {
  const { number, cause, timeMs, overlap, startedMs } = run;
  const isOurs = run.stopping !== undefined;
  const ended = {
    number,
    cause,
    timeMs,
    overlap,
    startedMs,
    endedMs: fate.endedMs,
    end: isOurs && fate.end === 'killed' ? 'terminated' : fate.end,
    ...(fate.runId === undefined ? {} : { runId: fate.runId }),
    ...(fate.message === undefined || (isOurs && fate.end === 'killed') ? {} : { message: fate.message }),
  } as const;
  log.replace(addEnded(log.state, ended));
  log.tell({ kind: 'ended', run: ended });
  const isFailure = ['failed', 'refused', 'killed', 'never started'].includes(ended.end);
  if (!rules.pauseOnFailure || !isFailure || log.state.paused !== undefined) return;
  const why = ended.message === undefined ? '' : `: ${ended.message}`;
  pause(log, {
    sinceMs: fate.endedMs,
    by: 'failure',
    reason: `run ${fate.runId ?? `no. ${number}`} ${ended.end}${why}`,
  });
}

function pause(log: ChangeLog, reason: Pause): void {
  log.set({ paused: reason });
  log.tell({ kind: 'paused', pause: reason });
}

function takeCommand(
  log: ChangeLog,
  event: Extract<ScheduleEvent, { kind: 'command' }>,
  rules: ScheduleRules,
): void {
  if (log.state.commands.includes(event.id)) return;
  log.replace(addCommand(log.state, event.id));
  // The end of a pause lets times pass: those before it are decided first.
  if (event.command.kind === 'resume') decide(log, event.nowMs, rules);
  obey(log, event.command, event.nowMs);
}

function obey(log: ChangeLog, command: ScheduleCommand, nowMs: number): void {
  const atMs = Math.min(nowMs, command.atMs);
  switch (command.kind) {
    case 'pause':
      // Paused again: nothing that came since the first time is due.
      pause(log, { sinceMs: log.state.paused?.sinceMs ?? atMs, reason: command.reason, by: 'person' });
      return;
    case 'resume':
      if (log.state.paused === undefined) return;
      // What passed while it was paused was meant to pass.
      log.drop('paused');
      log.set({ decidedMs: Math.max(log.state.decidedMs, atMs) });
      log.tell({ kind: 'resumed' });
      return;
    case 'trigger':
      enqueue(log, nowMs, { cause: 'trigger', timeMs: atMs, overlap: command.overlap });
      return;
    case 'backfill':
      for (const timeMs of command.times)
        enqueue(log, nowMs, { cause: 'backfill', timeMs, overlap: command.overlap });
  }
}

/** When there is next something to decide; undefined where only other events can bring it. */
function findWake(state: ScheduleState, nowMs: number, rules: ScheduleRules): number | undefined {
  const wakes = state.active.flatMap(({ stopping }) =>
    stopping?.how === 'terminate' ? [Math.max(nowMs + 1, stopping.sinceMs + terminateAfterMs)] : [],
  );
  const next = state.paused === undefined ? findNextTime(rules.timing, state.decidedMs) : undefined;
  if (next !== undefined) wakes.push(dueAt(next, rules));
  return wakes.length === 0 ? undefined : Math.min(...wakes);
}
