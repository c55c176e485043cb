/** Runs commands under the meter, which tells wall time, processor time and peak memory. */
import { spawn, spawnSync } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** What to run. */
export interface CommandLine {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** What one run cost, with all processes that it started. */
export interface Sample {
  readonly wallMs: number;
  readonly cpuMs: number;
  /** Resident memory of its largest process at its peak. */
  readonly peakMiB: number;
}

/** Several samples of one thing in short. */
export interface Summary {
  readonly count: number;
  readonly wallMinMs: number;
  readonly wallMedianMs: number;
  readonly cpuMinMs: number;
  readonly cpuMedianMs: number;
  readonly peakMiB: number;
}

/** What the meter answers; see meter.py. */
type Answer =
  | { readonly error: string }
  | {
      readonly wall: number;
      readonly cpu: number;
      readonly peak_kib: number;
      readonly status: number;
      readonly timed_out: boolean;
    };

/** The middle of the values, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** Puts samples in short; there is at least one. */
export function summarize(samples: readonly Sample[]): Summary {
  const walls = samples.map((sample) => sample.wallMs);
  const cpus = samples.map((sample) => sample.cpuMs);
  return {
    count: samples.length,
    wallMinMs: Math.min(...walls),
    wallMedianMs: median(walls),
    cpuMinMs: Math.min(...cpus),
    cpuMedianMs: median(cpus),
    peakMiB: Math.max(...samples.map((sample) => sample.peakMiB)),
  };
}

/** The command that starts Python 3.9 or later; undefined where there is none. */
export function findPython(): string | undefined {
  const program = 'import sys; sys.exit(sys.version_info < (3, 9))';
  return ['python3', 'python'].find((name) => spawnSync(name, ['-c', program]).status === 0);
}

/** The end of a log, in one line for messages. */
function tail(file: string): string {
  try {
    const lines = readFileSync(file, 'utf8').trimEnd().split('\n');
    return lines.slice(-3).join(' | ').slice(-500);
  } catch {
    return '';
  }
}

/** A command was ended because it took too long. */
export class LimitError extends Error {
  constructor(limitS: number) {
    super(`took longer than ${limitS} s`);
    this.name = 'LimitError';
  }
}

/** A process that runs one command at a time and measures it. */
export class Meter {
  readonly #process: ChildProcess;
  readonly #log: string;
  #settle: ((answer: Answer) => void) | undefined;
  #hasEnded = false;

  /** @param log the file that takes what a command prints; it is written anew for each. */
  constructor(python: string, log: string) {
    this.#log = log;
    // In a group of its own, so that Ctrl-C ends it through its input, in good order.
    this.#process = spawn(python, [join(import.meta.dirname, 'meter.py')], {
      stdio: ['pipe', 'pipe', 'inherit'],
      detached: true,
    });
    const { stdout, stdin } = this.#process;
    if (stdout === null || stdin === null) throw new Error('Internal error: the meter has no pipes.');
    stdin.on('error', () => undefined);
    createInterface({ input: stdout }).on('line', (line) => {
      this.#settle?.(JSON.parse(line) as Answer); // Written by meter.py.
    });
    this.#process.on('error', () => undefined);
    this.#process.on('close', () => {
      this.#hasEnded = true;
      this.#settle?.({ error: 'the meter has ended' });
    });
  }

  /**
   * Runs a command to its end.
   *
   * @throws LimitError when it takes longer than the limit, another error when it does not start or fails.
   */
  async run(command: CommandLine, cwd: string, limitS: number): Promise<Sample> {
    const answer = await new Promise<Answer>((resolve) => {
      if (this.#hasEnded) resolve({ error: 'the meter has ended' });
      this.#settle = resolve;
      const request = { argv: command.argv, cwd, env: command.env, log: this.#log, limit_s: limitS };
      this.#process.stdin?.write(`${JSON.stringify(request)}\n`);
    });
    this.#settle = undefined;
    if ('error' in answer) throw new Error(`did not start: ${answer.error}`);
    if (answer.timed_out) throw new LimitError(limitS);
    if (answer.status !== 0) throw new Error(`ended with ${answer.status}: ${tail(this.#log)}`);
    return { wallMs: answer.wall * 1000, cpuMs: answer.cpu * 1000, peakMiB: answer.peak_kib / 1024 };
  }

  /** Ends the meter and whatever it runs. */
  async close(): Promise<void> {
    if (this.#hasEnded) return;
    const closed = new Promise((resolve) => this.#process.once('close', resolve));
    this.#process.stdin?.end();
    await closed;
  }
}
