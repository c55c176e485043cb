import type { Transition } from './machine.ts';
import type { ActiveRun, PassedTimes, ScheduleEffect, ScheduleNotice, ScheduleState } from './state.ts';

/** Collects what one event changes and leads to; lives only while it is worked on. */
export class ChangeLog {
  readonly #before: ScheduleState;
  readonly #notices: ScheduleNotice[] = [];
  readonly #signals: ScheduleEffect[] = [];
  readonly #starts: number[] = [];
  state: ScheduleState;

  constructor(state: ScheduleState) {
    this.#before = state;
    this.state = state;
  }

  replace(state: ScheduleState): void {
    this.state = state;
  }

  set(change: Partial<ScheduleState>): void {
    this.state = { ...this.state, ...change };
  }

  /** Makes an optional field absent. */
  drop(field: 'paused'): void {
    const { [field]: _, ...rest } = this.state;
    this.state = rest;
  }

  tell(notice: ScheduleNotice): void {
    this.#notices.push(notice);
  }

  /** Counts times that pass without a run. */
  pass(field: 'missed' | 'skipped', times: PassedTimes): void {
    this.set({ [field]: { count: (this.state[field]?.count ?? 0) + times.count, lastMs: times.lastMs } });
    if (field === 'missed') this.tell({ kind: 'missed', times });
  }

  start(number: number): void {
    this.#starts.push(number);
  }

  signal(run: ActiveRun, signal: 'SIGTERM' | 'SIGKILL'): void {
    this.#signals.push({ kind: 'signal', run, signal });
    this.tell({ kind: 'stopping', run, signal });
  }

  /** The effects in the order in which they are safe: the disk first. */
  finish(wakeMs: number | undefined): Transition {
    // Comparing by content: a state that was rebuilt with the same values is no change.
    const isChanged =
      this.state !== this.#before && JSON.stringify(this.state) !== JSON.stringify(this.#before);
    const starts = this.state.active.filter((run) => this.#starts.includes(run.number));
    return {
      state: isChanged ? this.state : this.#before,
      effects: [
        ...(isChanged ? [{ kind: 'persist' } as const] : []),
        ...starts.map((run) => ({ kind: 'start', run }) as const),
        ...this.#signals,
        ...this.#notices.map((notice) => ({ kind: 'tell', notice }) as const),
        ...(wakeMs === undefined ? [] : [{ kind: 'wake', atMs: wakeMs } as const]),
      ],
    };
  }
}
