import { setTimeout as sleep } from 'node:timers/promises';
import type { Diagnostic } from '@joyul/core';
import {
  Alarm,
  ProcessHost,
  Scheduler,
  SchedulerLock,
  StateFiles,
  findNextTime,
  findZone,
  listScheduleNames,
  readDefinition,
  runScheduler,
  stateDirOf,
} from '@joyul/core/schedule';
import type { LockHolder, ScheduleNotice, Zone } from '@joyul/core/schedule';
import { parseArguments } from '../args.ts';
import { exitCodes } from '../exit-codes.ts';
import { printDiagnostics } from '../pipeline-options.ts';
import { findProject } from '../project.ts';
import { viewSchedule } from '../schedule-view.ts';
import { describeHolder } from '../schedules.ts';
import {
  describeNotice,
  formatNotice,
  formatStamp,
  formatTime,
  localZone,
} from '../terminal/format-schedule.ts';
import { programFile } from '../program-files.ts';
import { UsageError } from '../usage-error.ts';

const flags = {
  wait: { type: 'boolean' },
  'if-none': { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

/** A command holds the lock for a moment only. */
const commandMs = 50;
const waitMs = 500;
/** How long a command is believed to need it. */
const patienceMs = 10_000;

/** Takes the lock, at once or when the other scheduler has ended; gives who has it where that is not waited for. */
async function takeLock(
  projectDir: string,
  options: {
    readonly isWaiting: boolean;
    readonly onWait: (holder: LockHolder) => void;
    readonly signal: AbortSignal;
  },
): Promise<SchedulerLock | LockHolder> {
  const dir = stateDirOf(projectDir);
  const deadline = Date.now() + patienceMs;
  let isTold = false;
  for (;;) {
    const taken = SchedulerLock.take(dir, 'scheduler');
    if (taken instanceof SchedulerLock || options.signal.aborted) return taken;
    const isMoment = taken.role === 'command' && Date.now() < deadline;
    if (!isMoment && !options.isWaiting) return taken;
    if (!isMoment && !isTold) {
      options.onWait(taken);
      isTold = true;
    }
    await sleep(isMoment ? commandMs : waitMs, undefined, { signal: options.signal }).catch(() => undefined);
  }
}

/** Tells what happens: a line each for people, or a JSON line for programs. */
class SchedulerReporter {
  readonly #projectDir: string;
  readonly #isJson: boolean;
  readonly #troubles = new Map<string, string>();

  constructor(projectDir: string, isJson: boolean) {
    this.#projectDir = projectDir;
    this.#isJson = isJson;
  }

  /** `facts` are for programs, `text` for people. */
  tell(text: string, facts: Readonly<Record<string, unknown>>): void {
    const now = Date.now();
    if (this.#isJson)
      process.stdout.write(`${JSON.stringify({ time: new Date(now).toISOString(), ...facts })}\n`);
    else process.stdout.write(`${formatStamp(now)}  ${text}\n`);
  }

  onNotice(name: string, notice: ScheduleNotice): void {
    this.tell(`${name}: ${formatNotice(notice, this.#zoneOf(name))}`, describeNotice(name, notice));
  }

  #zoneOf(name: string): Zone {
    const timezone = readDefinition(this.#projectDir, name)?.definition?.timezone ?? 'UTC';
    return findZone(timezone) ?? localZone();
  }

  onTrouble(name: string, error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    // It is met again at every wake.
    if (this.#troubles.get(name) === message) return;
    this.#troubles.set(name, message);
    this.tell(`${name}: ${message} It is tried again.`, { schedule: name, kind: 'trouble', message });
  }

  onDefinition(name: string, diagnostics: readonly Diagnostic[]): void {
    const errors = diagnostics.filter(({ severity }) => severity === 'error');
    if (errors.length > 0) {
      this.tell(`${name}: its file has errors; what it said before holds until they are mended`, {
        schedule: name,
        kind: 'broken',
        messages: errors.map(({ message }) => message),
      });
      printDiagnostics(diagnostics);
      return;
    }
    const found = readDefinition(this.#projectDir, name);
    if (found === undefined) return;
    const { rules, state } = viewSchedule(new StateFiles(this.#projectDir), found, 0);
    if (rules === undefined) return;
    const { timing } = rules;
    const next = findNextTime(timing, Date.now());
    const when =
      next === undefined ? 'no time is left' : `next ${formatTime(next, timing.zone)} ${timing.zone.name}`;
    const paused = state?.paused === undefined ? '' : ', paused';
    this.tell(`${name}: ${found.definition?.pipeline ?? ''}, ${when}${paused}`, {
      schedule: name,
      kind: 'loaded',
      next: next === undefined ? null : new Date(next).toISOString(),
    });
  }
}

/** Ends the scheduler on Ctrl-C and SIGTERM; a second Ctrl-C ends it at once, which loses nothing either. */
function abortOnSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const)
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(exitCodes.interrupted);
      controller.abort();
    });
  return controller.signal;
}

function tellEnd(reporter: SchedulerReporter, projectDir: string): void {
  const files = new StateFiles(projectDir);
  const runs = listScheduleNames(projectDir).flatMap((name) =>
    (files.read(name)?.active ?? []).map((run) => ({ name, number: run.number })),
  );
  const list = runs.map(({ name, number }) => `${name} no. ${number}`).join(', ');
  const text =
    runs.length === 0
      ? ''
      : `; ${list} ${runs.length === 1 ? 'goes' : 'go'} on, and the next start takes over`;
  reporter.tell(`The scheduler ends${text}.`, { kind: 'scheduler-ended', running: runs });
}

/** `joyul schedule start`. */
export async function startScheduler(argv: readonly string[]): Promise<number> {
  const args = parseArguments(argv, flags);
  const projectDir = findProject(process.cwd());
  const signal = abortOnSignal();
  const reporter = new SchedulerReporter(projectDir, args.has('json'));
  new StateFiles(projectDir).create();
  const lock = await takeLock(projectDir, {
    isWaiting: args.has('wait'),
    onWait: (holder) => {
      reporter.tell(`Waiting for the scheduler that runs: ${describeHolder(holder)}.`, { kind: 'waiting' });
    },
    signal,
  });
  if (!(lock instanceof SchedulerLock)) {
    if (signal.aborted || args.has('if-none')) return exitCodes.done;
    throw new UsageError(
      `A scheduler of this project runs already: ${describeHolder(lock)}. End it, or wait for its end with --wait.`,
    );
  }
  const count = listScheduleNames(projectDir).length;
  reporter.tell(
    `The scheduler starts, process ${process.pid}, ${count} ${count === 1 ? 'schedule' : 'schedules'}. Ctrl-C ends it; runs go on.`,
    { kind: 'scheduler-started', processId: process.pid, schedules: count },
  );
  const alarm = new Alarm();
  const host = await ProcessHost.create({
    projectDir,
    command: [process.execPath, programFile('scheduled-run')],
    onNotice: (name, notice) => {
      reporter.onNotice(name, notice);
    },
    onTrouble: (name, error) => {
      reporter.onTrouble(name, error);
    },
    onDefinition: (name, diagnostics) => {
      reporter.onDefinition(name, diagnostics);
    },
    onChange: () => {
      alarm.ring();
    },
  });
  const end = await runScheduler(new Scheduler(host), { projectDir, lock, alarm, signal });
  if (end.kind === 'taken over')
    throw new UsageError(`Another scheduler has taken over: ${describeHolder(end.holder)}.`);
  tellEnd(reporter, projectDir);
  return exitCodes.done;
}
