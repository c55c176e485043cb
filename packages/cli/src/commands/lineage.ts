import { makeLineage, readRunRecord } from '@joyul/core';
import { parseArguments } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { findProject } from '../project.ts';
import { UsageError } from '../usage-error.ts';

const flags = {
  format: { type: 'string' },
  namespace: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

/** `joyul lineage`. */
export const lineage: Command = {
  usage: `joyul lineage [RUN] [flags]

Prints a run as OpenLineage events (2-0-2), one JSON line each: of the run, and of each step with what it read
and gave. A dataset's version is the digest of its content. RUN is an id from \`joyul runs\`, or its end; the
default is the last run.

      --format NAME       openlineage (the default, and the only one)
      --namespace NAME    the namespace of jobs and datasets; the default is joyul`,
  run(argv) {
    const args = parseArguments(argv, flags);
    const format = args.value('format') ?? 'openlineage';
    if (format !== 'openlineage') throw new UsageError(`--format must be openlineage, but is ${format}.`);
    const [name] = args.positionals;
    const projectDir = findProject(process.cwd());
    const record = readRunRecord(projectDir, name ?? 'last');
    if (record === undefined)
      throw new UsageError(
        name === undefined
          ? 'There are no runs yet. `joyul run` makes one.'
          : `There is no run ${name}. \`joyul runs\` lists them.`,
      );
    const events = makeLineage(projectDir, record, { namespace: args.value('namespace') ?? 'joyul' });
    for (const event of events) process.stdout.write(`${JSON.stringify(event)}\n`);
    return Promise.resolve(exitCodes.done);
  },
};
