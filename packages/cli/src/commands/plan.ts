import { availableParallelism } from 'node:os';
import { previewRun } from '@joyul/core';
import type { Preview } from '@joyul/core';
import { parseArguments, readWholeNumber } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import type { LoadedPipeline } from '../pipeline-options.ts';
import { loadFromArguments, pipelineFlags, pipelineHelp } from '../pipeline-options.ts';
import { printPlan, wouldRun } from '../terminal/print-plan.ts';

const flags = {
  ...pipelineFlags,
  jobs: { type: 'string', short: 'j' },
  'exit-code': { type: 'boolean' },
} as const;

/** Prints what a run would do. */
export function showPlan(
  { graph, options }: NonNullable<LoadedPipeline['ready']>,
  { jobs, isJson }: { readonly jobs: number; readonly isJson: boolean },
): Preview {
  const preview = previewRun(graph, options, { jobs });
  printPlan(preview, isJson);
  return preview;
}

/** `joyul plan`. */
export const plan: Command = {
  usage: `joyul plan [FILE] [flags]

Shows what \`joyul run\` with the same flags would do, why, and how long it takes, from what each step took
when it last ran. Nothing is written.

      --exit-code         leave with 10 when something would run
  -j, --jobs N            steps that may run at once, for the time that all takes together
      --json              the plan as JSON on stdout

${pipelineHelp}

Examples:
  joyul plan -s learning_rate=1e-4          what a change would make run
  joyul plan --exit-code > /dev/null        leaves with 10 when something would run`,
  async run(argv) {
    const args = parseArguments(argv, flags);
    const jobs = readWholeNumber(args, 'jobs', 1) ?? availableParallelism();
    const loaded = await loadFromArguments(args, args.positionals[0], { needsFiles: true });
    if (loaded === undefined) return exitCodes.badPipeline;
    const preview = showPlan(loaded, { jobs, isJson: args.has('json') });
    return args.has('exit-code') && wouldRun(preview) ? exitCodes.wouldRun : exitCodes.done;
  },
};
