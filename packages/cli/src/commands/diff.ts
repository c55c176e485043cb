import { compareRuns, describeChange, formatNumber, listRunIds, readRunRecord } from '@joyul/core';
import type { MetricChange, RunRecord } from '@joyul/core';
import { parseArguments } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { findProject } from '../project.ts';
import { formatTable } from '../terminal/format-run.ts';
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

function toRow({ name, before, after }: MetricChange): readonly unknown[] {
  const difference = before === undefined || after === undefined ? undefined : after - before;
  const sign = difference !== undefined && difference > 0 ? '+' : '';
  return [name, before, after, difference === undefined ? '' : `${sign}${formatNumber(difference)}`];
}

/** `joyul diff`. */
export const diff: Command = {
  usage: `joyul diff [RUN [RUN]] [--json]

Compares two runs: the fields that differ in each step, and the metrics that came of it. RUN is an id from
\`joyul runs\`, or its end; the default is the last two runs, or the named one and the last.`,
  run(argv) {
    const args = parseArguments(argv, { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } });
    const projectDir = findProject(process.cwd());
    const [before, after] = findRuns(projectDir, args.positionals);
    const steps = compareRuns(projectDir, before, after);
    if (args.has('json')) {
      const content = { before: before.runId, after: after.runId, steps };
      process.stdout.write(`${JSON.stringify(content, null, 2)}\n`);
      return Promise.resolve(exitCodes.done);
    }
    const style = makeStyle(hasColor(process.stdout));
    const lines = [`${style.bold(before.runId)} → ${style.bold(after.runId)}`];
    for (const { stepId, state, changes, metrics } of steps) {
      if (state === 'same') continue;
      lines.push('', `${style.bold(stepId)}  ${state === 'changed' ? '' : state}`.trimEnd());
      for (const change of changes) lines.push(`  ${describeChange(change)}`);
      const moved = metrics.filter((metric) => metric.before !== metric.after);
      if (moved.length > 0)
        lines.push(
          ...formatTable(['metric', 'before', 'after', 'difference'], moved.map(toRow), style, 80).map(
            (line) => `  ${line}`,
          ),
        );
    }
    const same = steps.filter((step) => step.state === 'same').length;
    lines.push('', style.dim(`${same} of ${steps.length} steps are the same.`));
    process.stdout.write(`${lines.join('\n')}\n`);
    return Promise.resolve(exitCodes.done);
  },
};
