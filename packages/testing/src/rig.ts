import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** One line of `joyul run --json`; tests look at the fields that their case is about. */
export interface ToldEvent {
  readonly kind: string;
  readonly stepId?: string;
  readonly end?: string;
  readonly [field: string]: unknown;
}

/** What a command that has ended left behind. */
export interface Finished {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** The JSON lines of stdout; empty where it has none. */
  readonly events: readonly ToldEvent[];
  /** Ids of the steps that ran, in the order in which they ended. */
  readonly ran: readonly string[];
  /** Ids of the steps that were reused, in order. */
  readonly reused: readonly string[];
}

/** A command that goes on in the background. */
export interface Running {
  readonly process: ChildProcess;
  readonly finished: Promise<Finished>;
}

const cliFile = fileURLToPath(import.meta.resolve('@joyul/cli'));
/** The variable by which all that a project's commands start is known, wherever it moves to. */
const marker = 'JOYUL_RIG';
const pollMs = 20;
const patienceMs = 30_000;
/** How long the output of a command that has ended may take to be read. */
const orphanMs = 1000;

function parseEvents(stdout: string): readonly ToldEvent[] {
  if (!stdout.startsWith('{"')) return [];
  return stdout.split('\n').flatMap((line) => {
    if (line === '') return [];
    return [JSON.parse(line) as ToldEvent]; // The command's own format.
  });
}

function endedSteps(events: readonly ToldEvent[], ends: readonly string[]): readonly string[] {
  return events.flatMap((event) =>
    event.kind === 'step-ended' && event.stepId !== undefined && ends.includes(event.end ?? '')
      ? [event.stepId]
      : [],
  );
}

function endProcess(id: number): void {
  try {
    process.kill(id, 'SIGKILL');
  } catch {
    // It has just ended.
  }
}

/** All that a step told, one event a line. */
export const findingsOf = ({ events }: Finished, stepId: string): string =>
  events
    .filter((event) => event.kind === 'step-event' && event.stepId === stepId)
    .map((event) => JSON.stringify(event))
    .join('\n');

/** A project in a folder of its own, and the real command line run on it. */
export class Rig implements AsyncDisposable {
  /** Absolute path of the project. */
  readonly dir: string;

  readonly #env: Readonly<Record<string, string>>;

  private constructor(dir: string, env: Readonly<Record<string, string>> = {}) {
    this.dir = dir;
    this.#env = env;
  }

  /** The same project, with more environment variables; it is removed with the first. */
  withEnv(env: Readonly<Record<string, string>>): Rig {
    return new Rig(this.dir, env);
  }

  /** Makes an empty project. */
  static async create(): Promise<Rig> {
    const dir = await mkdtemp(join(tmpdir(), 'joyul-rig-'));
    await writeFile(join(dir, 'package.json'), '{}\n');
    return new Rig(dir);
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  /** Writes files, by path in the project. */
  async write(files: Readonly<Record<string, string>>): Promise<void> {
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(this.path(name)), { recursive: true });
      await writeFile(this.path(name), content);
    }
  }

  async read(name: string): Promise<string> {
    return readFile(this.path(name), 'utf8');
  }

  has(name: string): boolean {
    return existsSync(this.path(name));
  }

  async remove(name: string): Promise<void> {
    await rm(this.path(name), { recursive: true });
  }

  /** Replaces a file's content so that its size and its times stay as they were. */
  async replaceSilently(name: string, content: string): Promise<void> {
    const before = await stat(this.path(name));
    if (Buffer.byteLength(content) !== before.size)
      throw new Error(`${name} has ${before.size} bytes, its replacement ${Buffer.byteLength(content)}.`);
    await writeFile(this.path(name), content);
    await utimes(this.path(name), before.atime, before.mtime);
  }

  /** How many lines a file has. */
  async count(name: string): Promise<number> {
    return (await this.read(name)).split('\n').length - 1;
  }

  /** Waits until a file is there. */
  async waitFor(name: string): Promise<void> {
    await this.until(`${name} is there`, () => this.has(name));
  }

  /** Starts the command line in a process group of its own. */
  start(...args: readonly string[]): Running {
    const child = spawn(process.execPath, [cliFile, ...args], {
      cwd: this.dir,
      detached: true,
      env: { ...process.env, CI: '1', NO_COLOR: '1', [marker]: this.dir, ...this.#env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    child.stdout.on('data', (data: Buffer) => out.push(data));
    child.stderr.on('data', (data: Buffer) => err.push(data));
    const finished = new Promise<Finished>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (exitCode, signal) => {
        const finish = (): void => {
          const stdout = Buffer.concat(out).toString();
          const events = parseEvents(signal === null ? stdout : '');
          resolve({
            exitCode,
            signal,
            stdout,
            stderr: Buffer.concat(err).toString(),
            events,
            ran: endedSteps(events, ['succeeded', 'failed']),
            reused: endedSteps(events, ['reused']),
          });
        };
        // All of its output has been read; an orphaned grandchild that holds the pipes is not waited for.
        const timer = setTimeout(finish, orphanMs);
        child.on('close', () => {
          clearTimeout(timer);
          finish();
        });
      });
    });
    return { process: child, finished };
  }

  /** Ids of the living processes that commands of this project started; needs Linux. */
  processes(): readonly number[] {
    return readdirSync('/proc').flatMap((entry) => {
      if (!/^\d+$/.test(entry)) return [];
      try {
        const environment = readFileSync(`/proc/${entry}/environ`, 'utf8').split('\0');
        return environment.includes(`${marker}=${this.dir}`) ? [Number(entry)] : [];
      } catch {
        return []; // It has ended, or is another user's.
      }
    });
  }

  /** Waits until something holds. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    const deadline = Date.now() + patienceMs;
    while (!isSo()) {
      if (Date.now() > deadline) throw new Error(`${what} was not so within ${patienceMs / 1000} s.`);
      await sleep(pollMs);
    }
  }

  /** Ends a command and all that it started, as a power failure would. */
  killGroup({ process: child }: Running): void {
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
  }

  /** Runs the command line to its end. */
  async joyul(...args: readonly string[]): Promise<Finished> {
    return this.start(...args).finished;
  }

  /** Runs `pipeline.yaml`, with events as JSON. */
  async run(...args: readonly string[]): Promise<Finished> {
    return this.joyul('run', 'pipeline.yaml', '--json', ...args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (process.platform === 'linux') for (const id of this.processes()) endProcess(id);
    await rm(this.dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
}
