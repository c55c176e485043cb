import { formatDuration, isKeptRun, listRunIds, readRunHead, readRunRecord, setRunKept } from '@joyul/core';
import type { RunHead } from '@joyul/core';
import { parseArguments, readWholeNumber } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { findRunByName } from '../find-run.ts';
import { findProject } from '../project.ts';
import { formatTable } from '../terminal/format-run.ts';
import { hasColor, makeStyle } from '../terminal/style.ts';
import { UsageError } from '../usage-error.ts';

const flags = {
  json: { type: 'boolean' },
  limit: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** `joyul runs keep RUN` and `joyul runs unkeep RUN`. */
function setKept(verb: 'keep' | 'unkeep', name: string | undefined, projectDir: string): number {
  if (name === undefined)
    throw new UsageError(`Name a run: \`joyul runs ${verb} RUN\`. \`joyul runs\` lists them.`);
  const runId = findRunByName(projectDir, name);
  const isChanged = setRunKept(projectDir, runId, verb === 'keep');
  const state = verb === 'keep' ? 'kept: no clean-up removes it, nor what it needs' : 'not kept any more';
  process.stdout.write(`${runId} is ${isChanged ? '' : 'already '}${state}.\n`);
  return exitCodes.done;
}

/** What else there is to know of a run. */
const describeNotes = ({ resumes }: RunHead, isKept: boolean): string =>
  [
    ...(isKept ? ['kept'] : []),
    // The end of an id names it as well as the whole.
    ...(resumes === undefined ? [] : [`← ${resumes.slice(-6)}`]),
  ].join(', ');

/** `joyul runs`. */
export const runs: Command = {
  usage: `joyul runs [flags]
joyul runs keep RUN
joyul runs unkeep RUN

Lists the runs of this project, the newest first. A run that is kept stays, with all that it needs from the
cache, whatever the limits are. RUN is an id, its end, or \`last\`. An arrow names the run that one goes on with.

      --limit N           at most N; the default is 20
      --json              whole records as JSON`,
  run(argv) {
    const args = parseArguments(argv, flags);
    const projectDir = findProject(process.cwd());
    const [verb, name, ...rest] = args.positionals;
    if (verb !== undefined) {
      if (verb !== 'keep' && verb !== 'unkeep')
        throw new UsageError(`\`joyul runs\` takes keep or unkeep, not ${verb}.`);
      if (rest.length > 0) throw new UsageError(`Name one run, not ${rest.length + 1}.`);
      return Promise.resolve(setKept(verb, name, projectDir));
    }
    const ids = [...listRunIds(projectDir)].reverse().slice(0, readWholeNumber(args, 'limit', 1) ?? 20);
    if (args.has('json')) {
      const records = ids.flatMap((id) => readRunRecord(projectDir, id) ?? []);
      const told = records.map((record) => ({ ...record, isKept: isKeptRun(projectDir, record.runId) }));
      process.stdout.write(`${JSON.stringify(told, null, 2)}\n`);
      return Promise.resolve(exitCodes.done);
    }
    const heads = ids.flatMap((id) => readRunHead(projectDir, id) ?? []);
    if (heads.length === 0) process.stdout.write('No runs yet. `joyul run` makes one.\n');
    else {
      const rows = heads.map((head) => [
        head.runId,
        head.pipeline,
        head.end,
        `${head.reused}/${head.steps}`,
        formatDuration(head.durationMs),
        describeNotes(head, isKeptRun(projectDir, head.runId)),
      ]);
      for (const line of formatTable(
        ['run', 'pipeline', 'ended', 'reused', 'took', ''],
        rows,
        makeStyle(hasColor(process.stdout)),
        process.stdout.columns || 100,
      ))
        process.stdout.write(`${line}\n`);
    }
    return Promise.resolve(exitCodes.done);
  },
};
