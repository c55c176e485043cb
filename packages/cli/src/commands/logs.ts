import { setTimeout as sleep } from 'node:timers/promises';
import {
  EventFollower,
  LogReader,
  eventsFile,
  findNearest,
  findRunId,
  listRunIds,
  readStepIds,
} from '@joyul/core';
import type { LogLine } from '@joyul/core';
import { parseArguments, readWholeNumber } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { findProject } from '../project.ts';
import { hasColor, makeStyle } from '../terminal/style.ts';
import type { Style } from '../terminal/style.ts';
import { UsageError } from '../usage-error.ts';

const flags = {
  follow: { type: 'boolean', short: 'f' },
  tail: { type: 'string' },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** How often a run that goes on is looked at. */
const pollMs = 200;

/** True for a step's own id, and for the name of a matrix of which it is an instance. */
const isNamed = (stepId: string, name: string): boolean => stepId === name || stepId.startsWith(`${name}@`);

interface Target {
  readonly runId: string;
  readonly step?: string;
}

/** What the arguments name: a run, and one of its steps; the default is all of the last run. */
function findTarget(projectDir: string, named: readonly string[]): Target {
  const newest = listRunIds(projectDir).at(-1);
  if (newest === undefined) throw new UsageError('There are no runs yet. `joyul run` makes one.');
  const hasStep = (runId: string, name: string): boolean =>
    readStepIds(projectDir, runId).some((stepId) => isNamed(stepId, name));
  const [first, second] = named;
  if (first === undefined) return { runId: newest };
  // A run's id may be shortened to its end, so a step's name comes first.
  if (second === undefined && hasStep(newest, first)) return { runId: newest, step: first };
  const runId = findRunId(projectDir, first);
  if (runId === undefined)
    throw new UsageError(
      `There is no run ${first}${second === undefined ? ', and the last run has no such step' : ''}. \`joyul runs\` lists the runs.`,
    );
  if (second === undefined) return { runId };
  if (hasStep(runId, second)) return { runId, step: second };
  const nearest = findNearest(second, readStepIds(projectDir, runId));
  throw new UsageError(
    `Run ${runId} has no step "${second}".${nearest === undefined ? '' : ` Did you mean "${nearest}"?`}`,
  );
}

/** Prints lines as they come. */
class LogPrinter {
  readonly #style: Style;
  readonly #isJson: boolean;
  /** Lines of one step need no name before them. */
  readonly #hasNames: boolean;
  readonly #attempts = new Map<string, number>();

  constructor(options: { readonly isJson: boolean; readonly hasNames: boolean }) {
    this.#style = makeStyle(hasColor(process.stdout));
    this.#isJson = options.isJson;
    this.#hasNames = options.hasNames;
  }

  print(line: LogLine): void {
    process.stdout.write(`${this.#isJson ? JSON.stringify(line) : this.#format(line)}\n`);
  }

  #format({ stepId, attempt, source, text }: LogLine): string {
    const style = this.#style;
    const name = this.#hasNames ? `${style.cyan(stepId)} ${style.dim('|')} ` : '';
    const isNew = attempt > 1 && this.#attempts.get(stepId) !== attempt;
    this.#attempts.set(stepId, attempt);
    const head = isNew ? `${name}${style.dim(`── attempt ${attempt} ──`)}\n` : '';
    const colors: Partial<Record<LogLine['source'], (part: string) => string>> = {
      debug: style.dim,
      warning: style.yellow,
      error: style.red,
    };
    return `${head}${name}${colors[source]?.(text) ?? text}`;
  }
}

/** `joyul logs`. */
export const logs: Command = {
  usage: `joyul logs [RUN] [STEP] [flags]

Prints what the steps of a run wrote, of all attempts: their output and their messages. RUN is an id from
\`joyul runs\`, or its end; the default is the last run. STEP may be a matrix step's name.

  -f, --follow            go on until the run ends
      --tail N            only the last N lines
      --json              lines as JSON lines, with their time, step, attempt and source`,
  async run(argv) {
    const args = parseArguments(argv, flags);
    const tail = readWholeNumber(args, 'tail', 0);
    const projectDir = findProject(process.cwd());
    const { runId, step } = findTarget(projectDir, args.positionals);
    const isOne = step !== undefined && readStepIds(projectDir, runId).includes(step);
    const follower = new EventFollower(eventsFile(projectDir, runId));
    const reader = new LogReader();
    const printer = new LogPrinter({ isJson: args.has('json'), hasNames: !isOne });
    const readLines = (): readonly LogLine[] =>
      follower.read().flatMap((event) => {
        const line = reader.read(event);
        return line === undefined || (step !== undefined && !isNamed(line.stepId, step)) ? [] : [line];
      });
    let lines = readLines();
    let isEmpty = lines.length === 0;
    if (tail !== undefined) lines = lines.slice(Math.max(0, lines.length - tail));
    for (const line of lines) printer.print(line);
    for (let isOpen = args.has('follow'); isOpen;) {
      await sleep(pollMs);
      // Asked before reading: what is written between the two is read by the last round.
      isOpen = follower.isOpen();
      lines = readLines();
      isEmpty &&= lines.length === 0;
      for (const line of lines) printer.print(line);
    }
    if (isEmpty)
      process.stderr.write(
        `${step ?? 'No step'} wrote ${step === undefined ? 'anything' : 'nothing'} in run ${runId}.\n`,
      );
    return exitCodes.done;
  },
};
