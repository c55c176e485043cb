import { readRunRecord, renderReport } from '@joyul/core';
import { parseArguments } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { findProject } from '../project.ts';
import { UsageError } from '../usage-error.ts';

const flags = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;

/** `joyul show`. */
export const show: Command = {
  usage: `joyul show [RUN] [--json]

  RUN is an id from \`joyul runs\`, or its end; the default is the last run.`,
  run(argv) {
    const args = parseArguments(argv, flags);
    const record = readRunRecord(findProject(process.cwd()), args.positionals[0] ?? 'last');
    if (record === undefined)
      throw new UsageError(
        args.positionals[0] === undefined
          ? 'There are no runs yet.'
          : `There is no run ${args.positionals[0]}. \`joyul runs\` lists them.`,
      );
    process.stdout.write(args.has('json') ? `${JSON.stringify(record, null, 2)}\n` : renderReport(record));
    return Promise.resolve(exitCodes.done);
  },
};
