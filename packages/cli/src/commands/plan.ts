import { planPipeline } from '@joyul/core';
import { parseArguments } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { loadFromArguments, pipelineFlags } from '../pipeline-options.ts';
import { printPlan } from '../terminal/print-plan.ts';

/** `joyul plan`. */
export const plan: Command = {
  summary: 'show what would run and why; changes nothing',
  usage: `joyul plan [FILE] [flags]

  Takes the flags of run; --json prints the plan as JSON.`,
  async run(argv) {
    const args = parseArguments(argv, pipelineFlags);
    const loaded = await loadFromArguments(args, args.positionals[0]);
    if (loaded === undefined) return exitCodes.badPipeline;
    printPlan(planPipeline(loaded.graph, loaded.options), args.has('json'));
    return exitCodes.done;
  },
};
