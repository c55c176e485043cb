import { compareRuns, listRunIds, readRunRecord } from '@joyul/core';
import type { RunRecord } from '@joyul/core';
import { parseArguments } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { findProject } from '../project.ts';
import { formatDiff } from '../terminal/format-diff.ts';
import { makeMarks } from '../terminal/format-why.ts';
import { hasColor, makeStyle } from '../terminal/style.ts';
import { UsageError } from '../usage-error.ts';

function findRun(projectDir: string, id: string): RunRecord {
  const record = readRunRecord(projectDir, id);
  if (record === undefined) throw new UsageError(`There is no run ${id}. \`joyul runs\` lists them.`);
  return record;
}

/** The two runs that were named; without names the last two. */
function findRuns(projectDir: string, named: readonly string[]): readonly [RunRecord, RunRecord] {
  const ids = listRunIds(projectDir);
  const [before, after] = named.length === 0 ? ids.slice(-2) : [named[0], named[1] ?? ids.at(-1)];
  if (before === undefined || after === undefined)
    throw new UsageError('There are no two runs to compare yet. `joyul run` makes them.');
  return [findRun(projectDir, before), findRun(projectDir, after)];
}

/** `joyul diff`. */
export const diff: Command = {
  usage: `joyul diff [RUN] [RUN] [flags]

Compares two runs: the fields that were changed, the metrics that came of it, and the steps that differ. RUN is
an id from \`joyul runs\`, or its end; the default is the last two runs, or the named one and the last.`,
  run(argv) {
    const args = parseArguments(argv, { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } });
    const projectDir = findProject(process.cwd());
    const [before, after] = findRuns(projectDir, args.positionals);
    const comparison = compareRuns(projectDir, before, after);
    if (args.has('json')) {
      process.stdout.write(`${JSON.stringify(comparison, null, 2)}\n`);
      return Promise.resolve(exitCodes.done);
    }
    const style = makeStyle(hasColor(process.stdout));
    const marks = makeMarks(style);
    const width = process.stdout.columns || 100;
    process.stdout.write(`${formatDiff(comparison, { marks, style, width }).join('\n')}\n`);
    return Promise.resolve(exitCodes.done);
  },
};
