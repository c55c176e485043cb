/**
 * What a scheduler remembers, on disk: `schedules/.state/`.
 *
 *     .gitignore              nobody commits it
 *     lock.N                  who may change it
 *     NAME/state.json         the state of one schedule
 *     NAME/inbox/ID.json      what people asked for and nobody has read yet
 *     NAME/runs/SERIES-N/     claims, end and output of one run
 *
 * It is not in `.joyul`, which anybody may remove to make room: forgetting what was run would run it again.
 */
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../util/files.ts';
import { readTextIfThere, writeFileAtomically } from './disk.ts';
import { schedulesDir } from './definition.ts';
import { parseJson, syncFolder } from './exclusive.ts';
import type { ActiveRun, EndedRun, ScheduleCommand, ScheduleState } from './state.ts';

/** The folder of the lock and of all states. */
export const stateDirOf = (projectDir: string): string => join(projectDir, schedulesDir, '.state');

/** A command that nobody has taken yet. */
export interface PendingCommand {
  readonly id: string;
  readonly command: ScheduleCommand;
}

function listNames(dir: string): readonly string[] {
  try {
    return readdirSync(dir).sort();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** The memory of a project's schedules. */
export class StateFiles {
  readonly dir: string;

  constructor(projectDir: string) {
    this.dir = stateDirOf(projectDir);
  }

  /** Makes the folder, which is nobody's to commit. */
  create(): void {
    mkdirSync(this.dir, { recursive: true });
    const file = join(this.dir, '.gitignore');
    if (!existsSync(file)) writeFileSync(file, '*\n');
  }

  read(name: string): ScheduleState | undefined {
    const file = join(this.dir, name, 'state.json');
    const text = readTextIfThere(file);
    if (text === undefined) return undefined;
    const state = parseJson(text) as ScheduleState | undefined; // Our own format; its version is looked at next.
    // Beginning anew would forget what was run: a person must decide that.
    if (state?.version !== 1)
      throw new Error(
        `${file} cannot be read. Remove it to begin anew; what was run before is then forgotten.`,
      );
    return state;
  }

  save(name: string, state: ScheduleState): void {
    this.create();
    const dir = join(this.dir, name);
    writeFileAtomically(join(dir, 'state.json'), JSON.stringify(state), { isDurable: true });
    // Without its new name, a power failure would bring back the state before the intention.
    syncFolder(dir);
  }

  /** Forgets a schedule. */
  remove(name: string): void {
    rmSync(join(this.dir, name), { recursive: true, force: true });
  }

  /** Leaves a command for whoever may change the state; gives its id. */
  addCommand(name: string, command: ScheduleCommand): string {
    this.create();
    // Ids sort by time.
    const id = `${String(command.atMs).padStart(15, '0')}-${randomBytes(4).toString('hex')}`;
    writeFileAtomically(join(this.dir, name, 'inbox', `${id}.json`), JSON.stringify(command), {
      isDurable: true,
    });
    return id;
  }

  readCommands(name: string): readonly PendingCommand[] {
    const dir = join(this.dir, name, 'inbox');
    return listNames(dir).flatMap((file) => {
      if (!file.endsWith('.json')) return [];
      const text = readTextIfThere(join(dir, file)) ?? '';
      const command = parseJson(text) as ScheduleCommand | undefined; // Our own format.
      return command === undefined ? [] : [{ id: file.slice(0, -'.json'.length), command }];
    });
  }

  hasCommand(name: string, id: string): boolean {
    return existsSync(join(this.dir, name, 'inbox', `${id}.json`));
  }

  dropCommand(name: string, id: string): void {
    rmSync(join(this.dir, name, 'inbox', `${id}.json`), { force: true });
  }

  /** The folder of one run. */
  runDir(name: string, series: string, number: number): string {
    return join(this.dir, name, 'runs', `${series}-${number}`);
  }

  /** Removes folders of runs that nothing needs any more. */
  tidy(name: string, state: ScheduleState): void {
    const dir = join(this.dir, name, 'runs');
    const folders = listNames(dir);
    if (folders.length === 0) return;
    // What a run that came to no record printed is all that there is about it.
    const isKept = (run: ActiveRun | EndedRun): boolean => !('end' in run) || run.runId === undefined;
    const kept = new Set(
      [...state.active, ...state.ended].filter(isKept).map(({ number }) => `${state.series}-${number}`),
    );
    for (const folder of folders)
      if (!kept.has(folder)) rmSync(join(dir, folder), { recursive: true, force: true });
  }
}
