import type { Schedule } from '../graph/graph.ts';
import type { Timing } from '../timing/timing.ts';

/** What happens when a run is due while another one still runs. */
export type Overlap = NonNullable<Schedule['overlap']>;

/** Why a run was asked for. */
export type RunCause = 'time' | 'catch-up' | 'backfill' | 'trigger';

/** A schedule's rules, checked: what the state machine decides by. */
export interface ScheduleRules {
  readonly name: string;
  readonly timing: Timing;
  /** Changes when the times do: what was missed under other times is not made up for. */
  readonly timesKey: string;
  readonly overlap: Overlap;
  readonly catchup: 'none' | 'last' | 'all';
  readonly catchupWindowMs: number;
  readonly jitterMs: number;
  readonly pauseOnFailure: boolean;
}

/** A run that is due and has not been started. */
export interface WaitingRun {
  /** Counts the runs of a schedule, from 1. */
  readonly number: number;
  readonly cause: RunCause;
  /** The time that it stands for, whenever it starts. */
  readonly timeMs: number;
  readonly overlap: Overlap;
}

/** How a run is being ended. */
export interface Stopping {
  readonly how: 'cancel' | 'terminate';
  readonly sinceMs: number;
  /** Whether it has been told: a second signal would not let it write a checkpoint. */
  readonly isTold: boolean;
}

/** A run that was started, or is about to be: what stands here survives a crash. */
export interface ActiveRun extends WaitingRun {
  /** `starting` until the run's own process has said that it is there. */
  readonly phase: 'starting' | 'running';
  /** How many processes were asked to start it. */
  readonly attempt: number;
  /** How many of them ended before they could begin, though a scheduler was there. */
  readonly failures: number;
  readonly startedMs: number;
  /** The process's id, once known. */
  readonly processId?: number;
  readonly stopping?: Stopping;
}

/** How a scheduled run ended. */
export type ScheduledEnd =
  'succeeded' | 'failed' | 'refused' | 'cancelled' | 'terminated' | 'killed' | 'never started';

/** A run that is over. */
export interface EndedRun extends WaitingRun {
  readonly startedMs: number;
  readonly endedMs: number;
  readonly end: ScheduledEnd;
  /** The run's id in `joyul runs`; absent when it did not come so far. */
  readonly runId?: string;
  /** What went wrong, in words. */
  readonly message?: string;
}

/** Times that passed without a run. */
export interface PassedTimes {
  readonly count: number;
  readonly lastMs: number;
}

/** Why a schedule starts nothing. */
export interface Pause {
  readonly sinceMs: number;
  readonly reason: string;
  readonly by: 'person' | 'failure';
}

/** All that a scheduler must remember of a schedule: plain data, written before anything is done because of it. */
export interface ScheduleState {
  readonly version: 1;
  /** Random, so that runs of a removed schedule are never taken for those of a new one with its name. */
  readonly series: string;
  readonly timesKey: string;
  /** All times up to this one have been decided. */
  readonly decidedMs: number;
  readonly nextNumber: number;
  readonly paused?: Pause;
  readonly waiting: readonly WaitingRun[];
  readonly active: readonly ActiveRun[];
  /** The newest last. */
  readonly ended: readonly EndedRun[];
  /** Times that got a run, the newest last: none gets a second one, also when the clock goes back. */
  readonly taken: readonly number[];
  /** No time up to this one is in `taken` any more, so none up to it is decided again. */
  readonly forgottenMs: number;
  /** Times at which another run still ran. */
  readonly skipped?: PassedTimes;
  /** Times at which nothing watched, and which `catchup` does not make up for. */
  readonly missed?: PassedTimes;
  /** Ids of the last commands that were taken: none is taken twice. */
  readonly commands: readonly string[];
}

/** What people ask of a schedule. `atMs` is when they did, which may be long before it is read. */
export type ScheduleCommand = { readonly atMs: number } & (
  | { readonly kind: 'pause'; readonly reason: string }
  | { readonly kind: 'resume' }
  | { readonly kind: 'trigger'; readonly overlap: Overlap }
  | { readonly kind: 'backfill'; readonly times: readonly number[]; readonly overlap: Overlap }
);

/** What is known of a started run. */
export type RunFate =
  | { readonly kind: 'starting' }
  | { readonly kind: 'running'; readonly processId: number }
  /** No process can claim this attempt any more; `isFailed` says that one was started and came to nothing. */
  | { readonly kind: 'never started'; readonly isFailed: boolean }
  | {
      readonly kind: 'ended';
      readonly end: ScheduledEnd;
      readonly endedMs: number;
      readonly runId?: string;
      readonly message?: string;
    };

/** What moves the state machine. */
export type ScheduleEvent =
  | { readonly kind: 'tick'; readonly nowMs: number }
  | { readonly kind: 'found'; readonly nowMs: number; readonly number: number; readonly fate: RunFate }
  | { readonly kind: 'told'; readonly nowMs: number; readonly number: number }
  | {
      readonly kind: 'command';
      readonly nowMs: number;
      readonly id: string;
      readonly command: ScheduleCommand;
    };

/** Something that people should hear of. */
export type ScheduleNotice =
  | { readonly kind: 'started'; readonly run: ActiveRun }
  | { readonly kind: 'ended'; readonly run: EndedRun }
  | { readonly kind: 'skipped'; readonly run: Omit<WaitingRun, 'number'>; readonly reason: string }
  | { readonly kind: 'missed'; readonly times: PassedTimes }
  | { readonly kind: 'stopping'; readonly run: ActiveRun; readonly signal: 'SIGTERM' | 'SIGKILL' }
  | { readonly kind: 'paused'; readonly pause: Pause }
  | { readonly kind: 'resumed' }
  | { readonly kind: 'clock-back'; readonly fromMs: number; readonly toMs: number }
  | { readonly kind: 'times-changed' };

/** What the machine wants done, in this order; nothing of it before the state is on disk. */
export type ScheduleEffect =
  | { readonly kind: 'persist' }
  | { readonly kind: 'start'; readonly run: ActiveRun }
  | { readonly kind: 'signal'; readonly run: ActiveRun; readonly signal: 'SIGTERM' | 'SIGKILL' }
  | { readonly kind: 'tell'; readonly notice: ScheduleNotice }
  | { readonly kind: 'wake'; readonly atMs: number };

/** A time that is at most so late is on time. */
export const graceMs = 60_000;
/** How long a run may take to end after it was told, before `terminate_other` kills it. */
export const terminateAfterMs = 20_000;
/** More runs than this never wait; also how many missed times are made up for at most. */
export const maxWaiting = 1000;
/** How many processes may end before they could begin; those that a killed scheduler started do not count. */
export const maxFailures = 3;
const maxEnded = 50;
const maxCommands = 100;

/** The state of a schedule that has just been made. */
export function makeScheduleState(
  rules: Pick<ScheduleRules, 'timesKey'>,
  nowMs: number,
  series: string,
): ScheduleState {
  return {
    version: 1,
    series,
    timesKey: rules.timesKey,
    decidedMs: nowMs,
    nextNumber: 1,
    waiting: [],
    active: [],
    ended: [],
    taken: [],
    forgottenMs: Number.MIN_SAFE_INTEGER,
    commands: [],
  };
}

/** Keeps the newest of what ended. */
export const addEnded = (state: ScheduleState, run: EndedRun): ScheduleState => ({
  ...state,
  active: state.active.filter((item) => item.number !== run.number),
  ended: [...state.ended, run].slice(-maxEnded),
});

/** Remembers that a command was taken. */
export const addCommand = (state: ScheduleState, id: string): ScheduleState => ({
  ...state,
  commands: [...state.commands, id].slice(-maxCommands),
});

/** Remembers that a time got its run. */
export function addTaken(state: ScheduleState, timeMs: number): ScheduleState {
  const taken = [...state.taken, timeMs];
  const forgotten = taken.slice(0, -maxWaiting);
  return {
    ...state,
    taken: taken.slice(-maxWaiting),
    forgottenMs: Math.max(state.forgottenMs, ...forgotten),
  };
}
