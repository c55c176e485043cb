import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  checkLock,
  describeChange,
  formatLock,
  lockFileOf,
  makeLock,
  parseLock,
  nodeFileSystem,
  writeFileAtomically,
} from '@joyul/core';
import type { Graph, LockDifference, PlanOptions, WordMarks } from '@joyul/core';
import { parseArguments } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { changeHelp, loadFromArguments, pipelineFlags } from '../pipeline-options.ts';
import type { LoadedPipeline } from '../pipeline-options.ts';
import { makeMarks } from '../terminal/format-why.ts';
import { hasColor, makeStyle } from '../terminal/style.ts';
import type { Style } from '../terminal/style.ts';
import { UsageError } from '../usage-error.ts';

const flags = { ...pipelineFlags, check: { type: 'boolean' } } as const;

function readTextOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Compares a pipeline with its lock file; what is wrong with the file itself is told. */
export function compareWithLock(graph: Graph, options: PlanOptions): readonly LockDifference[] {
  const name = lockFileOf(graph.file);
  const text = readTextOf(join(graph.projectDir, name));
  if (text === undefined)
    throw new UsageError(`There is no ${name}. \`joyul lock ${graph.file}\` makes it after a run.`);
  const lock = parseLock(text);
  if (typeof lock === 'string')
    throw new UsageError(
      `${name} cannot be used: ${lock}. \`joyul lock ${graph.file}\` makes it anew after a run.`,
    );
  return checkLock(graph, lock, options);
}

/** Differences from a lock, those that only follow from others in one line. */
export function formatLockDifferences(
  differences: readonly LockDifference[],
  marks: WordMarks,
  style: Style,
): readonly string[] {
  const words = { added: 'is not in the lock', removed: 'is in the lock only', follows: '', changed: '' };
  const lines = differences.flatMap(({ stepId, kind, changes, reason }) => {
    const name = style.bold(stepId);
    if (kind === 'follows') return [];
    if (changes.length > 0) return changes.map((change) => `${name}  ${describeChange(change, marks)}`);
    if (kind === 'changed') return [`${name}  differs, and its record is gone from the store`];
    if (kind === 'result' || kind === 'blocked') return [`${name}  ${reason ?? ''}`];
    return [`${name}  ${reason ?? words[kind]}`];
  });
  const following = differences.filter(({ kind }) => kind === 'follows').map(({ stepId }) => stepId);
  const shown = following.slice(0, 10).join(', ');
  return following.length === 0
    ? lines
    : [
        ...lines,
        style.dim(
          `Steps after these may differ as well: ${shown}${following.length > 10 ? ` and ${following.length - 10} more` : ''}.`,
        ),
      ];
}

/** Tells what is not as the lock has it, of the steps that would run; true when there is anything. */
export function refuseUnlocked(
  { graph, options }: NonNullable<LoadedPipeline['ready']>,
  isJson: boolean,
): boolean {
  const { selected } = options;
  const differences = compareWithLock(graph, options).filter(
    ({ stepId, kind }) => kind === 'removed' || selected?.has(stepId) !== false,
  );
  if (differences.length === 0) return false;
  const style = makeStyle(hasColor(process.stderr));
  if (isJson) process.stdout.write(`${JSON.stringify(differences, null, 2)}\n`);
  else process.stderr.write(`${formatLockDifferences(differences, makeMarks(style), style).join('\n')}\n`);
  process.stderr.write(
    `${graph.file} is not as ${lockFileOf(graph.file)} has it, and nothing was run. Run it without --locked, then \`joyul lock ${graph.file}\`.\n`,
  );
  return true;
}

function write(
  graph: Graph,
  options: PlanOptions,
  tell: (differences: readonly LockDifference[]) => void,
): number {
  const name = lockFileOf(graph.file);
  const result = makeLock(graph, options);
  if ('lock' in result) {
    const file = join(graph.projectDir, name);
    const text = formatLock(result.lock);
    const isSame = readTextOf(file) === text;
    if (!isSame) writeFileAtomically(nodeFileSystem, file, text);
    const count = Object.keys(result.lock.steps).length;
    process.stdout.write(
      isSame
        ? `${name} is up to date with run ${result.runId}.\n`
        : `Wrote ${name}: ${count} step${count === 1 ? '' : 's'} of run ${result.runId}.\n`,
    );
    return exitCodes.done;
  }
  if (result.problem === 'stale') {
    tell(result.stale);
    process.stderr.write(
      `${graph.file} has changed since run ${result.runId}: \`joyul run ${graph.file}\` first.\n`,
    );
  } else
    process.stderr.write(
      `No run of ${graph.file} has yet succeeded with all of its steps: \`joyul run ${graph.file}\` first.\n`,
    );
  return exitCodes.stepFailed;
}

/** `joyul lock`. */
export const lock: Command = {
  usage: `joyul lock [FILE] [flags]

Writes what the last run that succeeded was made of to NAME.lock.yaml, beside the pipeline: for each step its
fingerprint, plugin, params, and the digests of what it read and gave. It has no times, hosts, secrets or
absolute paths, and is made to be committed and reviewed.

      --check             say what would be different now, and leave with 1 when anything would; nothing is
                          run, and nothing needs to be in the store
      --json              with --check, the differences as JSON

${changeHelp}

Examples:
  joyul lock                                after a run: write pipeline.lock.yaml
  joyul lock --check                        on a fresh clone: would a run be made of the same?`,
  async run(argv) {
    const args = parseArguments(argv, flags);
    const loaded = await loadFromArguments(args, args.positionals[0]);
    if (loaded === undefined) return exitCodes.badPipeline;
    const { graph, options } = loaded;
    const style = makeStyle(hasColor(process.stdout));
    const marks = makeMarks(style);
    const tell = (differences: readonly LockDifference[]): void => {
      process.stdout.write(`${formatLockDifferences(differences, marks, style).join('\n')}\n`);
    };
    if (!args.has('check')) return write(graph, options, tell);
    const differences = compareWithLock(graph, options);
    if (args.has('json')) process.stdout.write(`${JSON.stringify(differences, null, 2)}\n`);
    else if (differences.length > 0) tell(differences);
    else process.stdout.write(`${graph.file} is as ${lockFileOf(graph.file)} has it.\n`);
    return differences.length === 0 ? exitCodes.done : exitCodes.stepFailed;
  },
};
