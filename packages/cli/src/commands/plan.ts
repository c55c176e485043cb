import { planPipeline } from '@joyul/core';
import { parseArguments } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { loadFromArguments, pipelineFlags, pipelineHelp } from '../pipeline-options.ts';
import { printPlan } from '../terminal/print-plan.ts';

/** `joyul plan`. */
export const plan: Command = {
  usage: `joyul plan [FILE] [flags]

Shows what \`joyul run\` with the same flags would do, and why. Nothing is written.

${pipelineHelp}
      --json              the plan as JSON on stdout`,
  async run(argv) {
    const args = parseArguments(argv, pipelineFlags);
    const loaded = await loadFromArguments(args, args.positionals[0]);
    if (loaded === undefined) return exitCodes.badPipeline;
    printPlan(planPipeline(loaded.graph, loaded.options), args.has('json'));
    return exitCodes.done;
  },
};
