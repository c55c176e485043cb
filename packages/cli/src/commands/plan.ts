import { availableParallelism } from 'node:os';
import { previewRun } from '@joyul/core';
import { parseArguments, readWholeNumber } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { loadFromArguments, pipelineFlags, pipelineHelp } from '../pipeline-options.ts';
import { printPlan, wouldRun } from '../terminal/print-plan.ts';

const flags = {
  ...pipelineFlags,
  jobs: { type: 'string', short: 'j' },
  'exit-code': { type: 'boolean' },
} as const;

/** `joyul plan`. */
export const plan: Command = {
  usage: `joyul plan [FILE] [flags]

Shows what \`joyul run\` with the same flags would do, why, and how long it takes, from what each step took
when it last ran. Nothing is written.

      --exit-code         leave with 10 when something would run
  -j, --jobs N            steps that may run at once, for the time that all takes together
${pipelineHelp}
      --json              the plan as JSON on stdout`,
  async run(argv) {
    const args = parseArguments(argv, flags);
    const jobs = readWholeNumber(args, 'jobs', 1) ?? availableParallelism();
    const loaded = await loadFromArguments(args, args.positionals[0]);
    if (loaded === undefined) return exitCodes.badPipeline;
    const preview = previewRun(loaded.graph, loaded.options, { jobs });
    printPlan(preview, args.has('json'));
    return args.has('exit-code') && wouldRun(preview) ? exitCodes.wouldRun : exitCodes.done;
  },
};
