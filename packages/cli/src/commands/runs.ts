import { formatDuration, listRunIds, readRunHead, readRunRecord } from '@joyul/core';
import { parseArguments, readWholeNumber } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { findProject } from '../project.ts';
import { formatTable } from '../terminal/format-run.ts';
import { hasColor, makeStyle } from '../terminal/style.ts';

const flags = {
  json: { type: 'boolean' },
  limit: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** `joyul runs`. */
export const runs: Command = {
  usage: `joyul runs [flags]

Lists the runs of this project, the newest first.

      --limit N           at most N; the default is 20
      --json              whole records as JSON`,
  run(argv) {
    const args = parseArguments(argv, flags);
    const projectDir = findProject(process.cwd());
    const ids = [...listRunIds(projectDir)].reverse().slice(0, readWholeNumber(args, 'limit', 1) ?? 20);
    if (args.has('json')) {
      const records = ids.flatMap((id) => readRunRecord(projectDir, id) ?? []);
      process.stdout.write(`${JSON.stringify(records, null, 2)}\n`);
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
      ]);
      for (const line of formatTable(
        ['run', 'pipeline', 'ended', 'reused', 'took'],
        rows,
        makeStyle(hasColor(process.stdout)),
        process.stdout.columns || 100,
      ))
        process.stdout.write(`${line}\n`);
    }
    return Promise.resolve(exitCodes.done);
  },
};
