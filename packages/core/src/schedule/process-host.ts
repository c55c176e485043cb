import { ownerVariable } from '../util/processes.ts';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { ScheduleDefinition } from './definition.ts';
import { listScheduleNames, readDefinition, schedulesDir } from './definition.ts';
import { makeScheduleRules } from './rules.ts';
import { findClaimedFate } from './run-claim.ts';
import { errorFile, outputFile, readRunOutput } from './run-output.ts';
import type { SchedulerHost } from './scheduler.ts';
import type { PendingCommand } from './state-files.ts';
import { StateFiles } from './state-files.ts';
import type {
  ActiveRun,
  RunFate,
  ScheduledEnd,
  ScheduleNotice,
  ScheduleRules,
  ScheduleState,
} from './state.ts';

/** What a process host tells and uses. */
export interface ProcessHostOptions {
  readonly projectDir: string;
  /** Program and first arguments of a scheduled run; its folder, attempt and the arguments of `joyul` follow. */
  readonly command: readonly [string, ...string[]];
  readonly onNotice: (name: string, notice: ScheduleNotice) => void;
  readonly onTrouble: (name: string, error: unknown) => void;
  /** A schedule's file was read again; `diagnostics` say what is wrong with it. */
  readonly onDefinition: (name: string, diagnostics: readonly Diagnostic[]) => void;
  /** Something happened that the scheduler should look at. */
  readonly onChange: () => void;
}

interface KnownDefinition {
  readonly signature: string;
  readonly rules?: ScheduleRules;
  readonly definition?: ScheduleDefinition;
}

interface Child {
  readonly attempt: number;
  readonly processId?: number;
}

type Execa = (typeof import('execa'))['execa'];

/** How a run ended, by the exit code of `joyul run`. */
function endOf(exitCode: number): ScheduledEnd {
  switch (exitCode) {
    case 0:
      return 'succeeded';
    case 3:
      return 'refused';
    case 75:
    case 130:
      return 'cancelled';
    default:
      return 'failed';
  }
}

/** Runs schedules on this machine: files in the project, runs as processes in groups of their own. */
export class ProcessHost implements SchedulerHost {
  readonly #options: ProcessHostOptions;
  readonly #execa: Execa;
  readonly #files: StateFiles;
  readonly #known = new Map<string, KnownDefinition>();
  /** Processes that this scheduler started, by the folder of their run; without an id once they have ended. */
  readonly #children = new Map<string, Child>();

  private constructor(options: ProcessHostOptions, execa: Execa) {
    this.#options = options;
    this.#execa = execa;
    this.#files = new StateFiles(options.projectDir);
  }

  static async create(options: ProcessHostOptions): Promise<ProcessHost> {
    return new ProcessHost(options, (await import('execa')).execa);
  }

  now(): number {
    return Date.now();
  }

  makeSeries(): string {
    return randomBytes(4).toString('hex');
  }

  readRules(): readonly ScheduleRules[] {
    const names = listScheduleNames(this.#options.projectDir);
    for (const name of this.#known.keys()) if (!names.includes(name)) this.#known.delete(name);
    return names.flatMap((name) => {
      try {
        return this.#readOne(name) ?? [];
      } catch (error) {
        this.tellTrouble(name, error);
        return this.#known.get(name)?.rules ?? [];
      }
    });
  }

  #readOne(name: string): ScheduleRules | undefined {
    const { projectDir, onDefinition } = this.#options;
    const stats = statSync(join(projectDir, schedulesDir, `${name}.yaml`), { throwIfNoEntry: false });
    if (stats === undefined) return undefined;
    const signature = `${stats.ino} ${stats.size} ${stats.mtimeMs} ${stats.ctimeMs}`;
    const known = this.#known.get(name);
    if (known?.signature === signature) return known.rules;
    const found = readDefinition(projectDir, name);
    if (found === undefined) return undefined;
    const { definition, diagnostics } = found;
    // A file that is being edited keeps its last good rules.
    const rules = definition === undefined ? known?.rules : makeScheduleRules(name, definition);
    const kept = definition ?? known?.definition;
    this.#known.set(name, {
      signature,
      ...(rules === undefined ? {} : { rules }),
      ...(kept === undefined ? {} : { definition: kept }),
    });
    onDefinition(name, diagnostics);
    return rules;
  }

  readState(name: string): ScheduleState | undefined {
    return this.#files.read(name);
  }

  saveState(name: string, state: ScheduleState): void {
    this.#files.save(name, state);
  }

  readCommands(name: string): readonly PendingCommand[] {
    return this.#files.readCommands(name);
  }

  dropCommand(name: string, id: string): void {
    this.#files.dropCommand(name, id);
  }

  tidy(name: string, state: ScheduleState): void {
    this.#files.tidy(name, state);
  }

  tell(name: string, notice: ScheduleNotice): void {
    this.#options.onNotice(name, notice);
  }

  tellTrouble(name: string, error: unknown): void {
    this.#options.onTrouble(name, error);
  }

  start(name: string, series: string, run: ActiveRun): void {
    const definition = this.#known.get(name)?.definition;
    if (definition === undefined) throw new Error(`Internal error: ${name} is started without a definition.`);
    const { projectDir, command, onChange } = this.#options;
    const dir = this.#files.runDir(name, series, run.number);
    mkdirSync(dir, { recursive: true });
    const [output, errors] = [openSync(join(dir, outputFile), 'a'), openSync(join(dir, errorFile), 'a')];
    try {
      const [program, ...first] = command;
      const child = this.#execa(program, [...first, dir, String(run.attempt), ...runArguments(definition)], {
        cwd: projectDir,
        // A process group of its own: Ctrl-C on the scheduler does not reach it.
        detached: true,
        // It outlives the scheduler, so it writes to files: a pipe would break.
        stdin: 'ignore',
        // Any number is given on as it is; the types name only a few.
        stdout: output as 3,
        stderr: errors as 3,
        cleanup: false,
        buffer: false,
        reject: false,
        env: {
          JOYUL_SCHEDULED_AT: new Date(run.timeMs).toISOString(),
          JOYUL_SCHEDULE: name,
          // A run outlives the scheduler, and whatever had started that.
          [ownerVariable]: '',
        },
      });
      const { pid } = child;
      const { attempt } = run;
      this.#children.set(dir, { attempt, ...(pid === undefined ? {} : { processId: pid }) });
      child.nodeChildProcess.unref();
      void child.finally(() => {
        if (this.#children.get(dir)?.attempt === attempt) this.#children.set(dir, { attempt });
        onChange();
      });
    } finally {
      closeSync(output);
      closeSync(errors);
    }
  }

  findFate(name: string, series: string, run: ActiveRun): RunFate {
    const dir = this.#files.runDir(name, series, run.number);
    const child = this.#children.get(dir);
    const fate = findClaimedFate(dir, run.attempt, child?.processId !== undefined);
    if (fate.kind === 'never started') return { ...fate, isFailed: child?.attempt === run.attempt };
    if (fate.kind !== 'ended') return fate;
    this.#children.delete(dir);
    const { runId, message } = readRunOutput(dir);
    const end = fate.end === undefined ? 'killed' : endOf(fate.end.exitCode);
    const why = end === 'killed' ? 'its process was killed' : message;
    return {
      kind: 'ended',
      end,
      endedMs: fate.end?.endedMs ?? this.now(),
      ...(runId === undefined ? {} : { runId }),
      ...(why === undefined || end === 'succeeded' || end === 'cancelled' ? {} : { message: why }),
    };
  }

  signal(
    name: string,
    series: string,
    { run, signal }: { readonly run: ActiveRun; readonly signal: 'SIGTERM' | 'SIGKILL' },
  ): void {
    const dir = this.#files.runDir(name, series, run.number);
    const processId = run.processId ?? this.#children.get(dir)?.processId;
    if (processId === undefined) return;
    try {
      // SIGTERM goes to the run alone, which tells its steps in order; SIGKILL to all of its group.
      process.kill(signal === 'SIGKILL' && process.platform !== 'win32' ? -processId : processId, signal);
    } catch {
      // It has just ended; its fate is found at the next wake.
    }
  }
}

function runArguments({ pipeline, set = [], params_file, profile }: ScheduleDefinition): readonly string[] {
  return [
    'run',
    pipeline,
    '--json',
    ...set.map((item) => `--set=${item}`),
    ...(params_file === undefined ? [] : [`--params-file=${params_file}`]),
    ...(profile === undefined ? [] : [`--profile=${profile}`]),
  ];
}
