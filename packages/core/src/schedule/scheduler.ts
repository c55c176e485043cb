import { transition } from './machine.ts';
import type {
  ActiveRun,
  RunFate,
  ScheduleCommand,
  ScheduleEvent,
  ScheduleNotice,
  ScheduleRules,
  ScheduleState,
} from './state.ts';
import { makeScheduleState } from './state.ts';

/** The world of a scheduler: clock, disk and processes. Every call may throw; the next wake tries again. */
export interface SchedulerHost {
  now(): number;
  /** A few random letters. */
  makeSeries(): string;
  /** The rules of all schedules that can be read now. */
  readRules(): readonly ScheduleRules[];
  readState(name: string): ScheduleState | undefined;
  /** Returns once it would outlast a crash. */
  saveState(name: string, state: ScheduleState): void;
  /** What people asked for, the oldest first. */
  readCommands(name: string): readonly { readonly id: string; readonly command: ScheduleCommand }[];
  dropCommand(name: string, id: string): void;
  /** Starts a process that claims the run before it does anything; at most one such claim is ever granted. */
  start(name: string, series: string, run: ActiveRun): void;
  /** How a run is. Once it said `never started`, no process can claim that attempt any more. */
  findFate(name: string, series: string, run: ActiveRun): RunFate;
  signal(
    name: string,
    series: string,
    target: { readonly run: ActiveRun; readonly signal: 'SIGTERM' | 'SIGKILL' },
  ): void;
  /** Removes what the disk still has of runs that nothing names any more. */
  tidy(name: string, state: ScheduleState): void;
  tell(name: string, notice: ScheduleNotice): void;
  /** A schedule could not be worked on; it is tried again at the next wake. */
  tellTrouble(name: string, error: unknown): void;
}

/** A sleep is never longer: timers do not run while a machine is suspended, and clocks are set. */
export const longestSleepMs = 30_000;

/** Keeps all schedules of a project going: each wake does what is due and says when to wake next. */
export class Scheduler {
  readonly #host: SchedulerHost;
  readonly #states = new Map<string, ScheduleState>();

  constructor(host: SchedulerHost) {
    this.#host = host;
  }

  /** Does all that is due now; gives the time of the next wake. */
  wake(): number {
    const rules = this.#host.readRules();
    const names = new Set(rules.map(({ name }) => name));
    for (const name of this.#states.keys()) if (!names.has(name)) this.#states.delete(name);
    let wakeMs = this.#host.now() + longestSleepMs;
    for (const item of rules) {
      try {
        wakeMs = Math.min(wakeMs, this.#work(item));
      } catch (error) {
        // The state in memory may be ahead of the one on disk by nothing: it is set after it was saved.
        this.#host.tellTrouble(item.name, error);
      }
    }
    return wakeMs;
  }

  /** How many runs of all schedules are under way. */
  get activeCount(): number {
    return [...this.#states.values()].reduce((sum, { active }) => sum + active.length, 0);
  }

  #stateOf(rules: ScheduleRules): ScheduleState {
    const known = this.#states.get(rules.name) ?? this.#host.readState(rules.name);
    if (known !== undefined) {
      this.#states.set(rules.name, known);
      return known;
    }
    const made = makeScheduleState(rules, this.#host.now(), this.#host.makeSeries());
    this.#save(rules.name, made);
    return made;
  }

  #save(name: string, state: ScheduleState): void {
    this.#host.saveState(name, state);
    this.#states.set(name, state);
  }

  #work(rules: ScheduleRules): number {
    const { name } = rules;
    const state = this.#stateOf(rules);
    for (const run of state.active) {
      const fate = this.#host.findFate(name, state.series, run);
      this.#apply(rules, { kind: 'found', nowMs: this.#host.now(), number: run.number, fate });
    }
    for (const { id, command } of this.#host.readCommands(name)) {
      this.#apply(rules, { kind: 'command', nowMs: this.#host.now(), id, command });
      this.#host.dropCommand(name, id);
    }
    const wakeMs = this.#apply(rules, { kind: 'tick', nowMs: this.#host.now() });
    this.#host.tidy(name, this.#stateOf(rules));
    return wakeMs;
  }

  /** Moves one schedule by one event; what it leads to is done once the new state is on disk. */
  #apply(rules: ScheduleRules, event: ScheduleEvent): number {
    const { name } = rules;
    const { state, effects } = transition(this.#stateOf(rules), event, rules);
    let wakeMs = Infinity;
    for (const effect of effects) {
      switch (effect.kind) {
        case 'persist':
          this.#save(name, state);
          break;
        case 'start':
          this.#host.start(name, state.series, effect.run);
          break;
        case 'signal':
          this.#host.signal(name, state.series, effect);
          if (effect.signal === 'SIGTERM')
            this.#apply(rules, { kind: 'told', nowMs: event.nowMs, number: effect.run.number });
          break;
        case 'tell':
          this.#host.tell(name, effect.notice);
          break;
        case 'wake':
          wakeMs = effect.atMs;
      }
    }
    return wakeMs;
  }
}
