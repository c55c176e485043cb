import type { SchedulerHost } from '../../src/schedule/scheduler.ts';
import { Scheduler, longestSleepMs } from '../../src/schedule/scheduler.ts';
import type {
  ActiveRun,
  RunFate,
  ScheduleCommand,
  ScheduledEnd,
  ScheduleNotice,
  ScheduleRules,
  ScheduleState,
} from '../../src/schedule/state.ts';
import { makeScheduleRules } from '../../src/schedule/rules.ts';
import type { Schedule } from '../../src/graph/graph.ts';

/** Random numbers from a seed (mulberry32). */
export function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** The scheduler's process was killed. */
export class Crash extends Error {}

/** A process that was started for a run. */
export interface SimulatedProcess {
  readonly number: number;
  readonly attempt: number;
  readonly timeMs: number;
  readonly cause: ActiveRun['cause'];
  readonly series: string;
  /** Real time, which never jumps. */
  claimAtMs: number;
  endAtMs: number;
  end: ScheduledEnd;
  state: 'booting' | 'running' | 'ended' | 'refused';
  /** Whether the living scheduler is its parent. */
  isChild: boolean;
  beganMs?: number;
  endedMs?: number;
  /** Leaves so long after it was told to. */
  readonly stopsAfterMs: number;
}

export interface WorldOptions {
  readonly schedule: Schedule;
  readonly startMs: number;
  readonly random: () => number;
  /** How long a run takes. */
  readonly durationMs: () => number;
  readonly end?: () => ScheduledEnd;
  /** The chance that a run's process dies before it can claim its run. */
  readonly bootFailureChance?: number;
  /** The chance that the scheduler is killed before or after one call to the world. */
  readonly crashChance?: number;
}

const clone = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

/** One schedule in a world without files and processes: what is on its disk survives the scheduler. */
export class World implements SchedulerHost {
  rules: ScheduleRules;
  readonly processes: SimulatedProcess[] = [];
  readonly notices: ScheduleNotice[] = [];
  readonly options: WorldOptions;
  /** Real time, which never jumps; the clock shows it plus the skew. */
  realMs: number;
  skewMs = 0;
  crashChance = 0;
  /** Called for every signal to a run. */
  onSignal: (() => void) | undefined;
  disk: ScheduleState | undefined;
  inbox: { id: string; command: ScheduleCommand }[] = [];
  #claims = new Set<string>();
  #series = 0;
  #commands = 0;
  scheduler: Scheduler | undefined;

  constructor(options: WorldOptions) {
    this.options = options;
    this.realMs = options.startMs;
    this.rules = makeScheduleRules('s', options.schedule);
    this.crashChance = options.crashChance ?? 0;
  }

  #maybeCrash(): void {
    if (this.options.random() < this.crashChance) throw new Crash('The scheduler was killed.');
  }

  now(): number {
    return this.realMs + this.skewMs;
  }

  makeSeries(): string {
    return `series${++this.#series}`;
  }

  readRules(): readonly ScheduleRules[] {
    return [this.rules];
  }

  readState(): ScheduleState | undefined {
    return this.disk === undefined ? undefined : clone(this.disk);
  }

  saveState(_: string, state: ScheduleState): void {
    this.#maybeCrash();
    this.disk = clone(state);
    this.#maybeCrash();
  }

  readCommands(): readonly { readonly id: string; readonly command: ScheduleCommand }[] {
    return [...this.inbox];
  }

  dropCommand(_: string, id: string): void {
    this.#maybeCrash();
    this.inbox = this.inbox.filter((item) => item.id !== id);
  }

  start(_: string, series: string, { number, attempt, timeMs, cause }: ActiveRun): void {
    this.#maybeCrash();
    const { random, durationMs, end, bootFailureChance } = this.options;
    const claimAtMs = this.realMs + Math.floor(random() * 3000);
    this.processes.push({
      number,
      attempt,
      timeMs,
      cause,
      series,
      claimAtMs,
      endAtMs: claimAtMs + durationMs(),
      end: end?.() ?? 'succeeded',
      state: random() < (bootFailureChance ?? 0) ? 'refused' : 'booting',
      isChild: true,
      stopsAfterMs: Math.floor(random() * 40_000),
    });
    this.#maybeCrash();
  }

  findFate(_: string, series: string, run: ActiveRun): RunFate {
    const key = `${series}-${run.number}-${run.attempt}`;
    const process = this.processes.find(
      (item) => item.series === series && item.number === run.number && item.attempt === run.attempt,
    );
    if (!this.#claims.has(key)) {
      if (process?.isChild === true && process.state === 'booting') return { kind: 'starting' };
      this.#maybeCrash();
      this.#claims.add(key);
      return { kind: 'never started', isFailed: process?.isChild === true };
    }
    if (process?.beganMs === undefined) return { kind: 'never started', isFailed: process?.isChild === true };
    if (process.state === 'running') return { kind: 'running', processId: run.number };
    return { kind: 'ended', end: process.end, endedMs: (process.endedMs ?? 0) + this.skewMs };
  }

  signal(
    _: string,
    series: string,
    { run, signal }: { readonly run: ActiveRun; readonly signal: 'SIGTERM' | 'SIGKILL' },
  ): void {
    this.#maybeCrash();
    this.onSignal?.();
    for (const process of this.processes) {
      if (process.series !== series || process.number !== run.number) continue;
      if (process.state === 'booting') {
        process.state = 'refused'; // A process without handlers dies of it.
        continue;
      }
      if (process.state !== 'running') continue;
      process.end = signal === 'SIGKILL' ? 'killed' : 'cancelled';
      process.endAtMs = Math.min(
        process.endAtMs,
        this.realMs + (signal === 'SIGKILL' ? 0 : process.stopsAfterMs),
      );
    }
    this.#maybeCrash();
  }

  tidy(): void {
    // Nothing to remove.
  }

  tell(_: string, notice: ScheduleNotice): void {
    this.notices.push(notice);
  }

  tellTrouble(_: string, error: unknown): void {
    throw error;
  }

  /** A person changes the schedule's file. */
  change(schedule: Schedule): void {
    this.rules = makeScheduleRules('s', schedule);
  }

  /** A person asks for something; taken at the next wake. */
  ask(
    command: ScheduleCommand extends infer Each ? (Each extends unknown ? Omit<Each, 'atMs'> : never) : never,
  ): void {
    this.inbox.push({
      id: `c${++this.#commands}`,
      command: { ...command, atMs: this.now() },
    });
  }

  /** Lets real time pass for the processes, up to an instant. */
  #moveProcesses(untilMs: number): void {
    for (const process of this.processes) {
      if (process.state === 'booting' && process.claimAtMs <= untilMs) {
        const key = `${process.series}-${process.number}-${process.attempt}`;
        if (this.#claims.has(key)) process.state = 'refused';
        else {
          this.#claims.add(key);
          process.state = 'running';
          process.beganMs = process.claimAtMs;
        }
      }
      if (process.state === 'running' && process.endAtMs <= untilMs) {
        process.state = 'ended';
        process.endedMs = process.endAtMs;
      }
    }
  }

  /** When the next process claims or ends. */
  #nextProcessMs(): number {
    return Math.min(
      Infinity,
      ...this.processes.flatMap((process) =>
        process.state === 'booting'
          ? [process.claimAtMs]
          : process.state === 'running'
            ? [process.endAtMs]
            : [],
      ),
    );
  }

  /** Runs the scheduler until real time has passed so far; a crash leaves it dead. */
  run(durationMs: number): void {
    const untilMs = this.realMs + durationMs;
    while (this.realMs < untilMs) {
      this.scheduler ??= new Scheduler(this);
      let wakeMs: number;
      try {
        wakeMs = this.scheduler.wake();
      } catch (error) {
        if (!(error instanceof Crash)) throw error;
        this.kill();
        // Whatever watches over it starts it again.
        this.sleep(Math.floor(this.options.random() * 5000));
        continue;
      }
      const sleepMs = Math.min(longestSleepMs, Math.max(1, wakeMs - this.now()));
      // The end of a process wakes the scheduler too.
      this.realMs = Math.min(
        untilMs,
        this.realMs + sleepMs,
        Math.max(this.realMs + 1, this.#nextProcessMs()),
      );
      this.#moveProcesses(this.realMs);
    }
  }

  /** Nothing watches for so long; processes go on. */
  sleep(durationMs: number): void {
    this.realMs += durationMs;
    this.#moveProcesses(this.realMs);
  }

  /** Kills the scheduler; what it started goes on. */
  kill(): void {
    this.scheduler = undefined;
    for (const process of this.processes) process.isChild = false;
  }

  /** The machine is switched off: everything dies but the disk. */
  powerOff(): void {
    this.kill();
    for (const process of this.processes) {
      if (process.state === 'running') {
        process.state = 'ended';
        process.end = 'killed';
        process.endedMs = this.realMs;
      } else if (process.state === 'booting') process.state = 'refused';
    }
  }

  /** Processes that really began, in order. */
  get began(): readonly SimulatedProcess[] {
    return this.processes.filter((process) => process.beganMs !== undefined);
  }

  /** Nominal times of what began, as ISO texts. */
  get times(): readonly string[] {
    return this.began.map(({ timeMs }) => new Date(timeMs).toISOString().replace('.000Z', 'Z'));
  }
}
