import { parseArguments } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { loadFromArguments, pipelineFlags } from '../pipeline-options.ts';

/** `joyul validate`. */
export const validate: Command = {
  summary: 'check a pipeline: every problem at once, with its place',
  usage: `joyul validate [FILE] [flags]

  -s, --set NAME=VALUE    as in run
      --params-file FILE  as in run
      --profile NAME      as in run
      --json              problems as JSON on stdout`,
  async run(argv) {
    const args = parseArguments(argv, pipelineFlags);
    const loaded = await loadFromArguments(args, args.positionals[0]);
    if (loaded === undefined) return exitCodes.badPipeline;
    if (!args.has('json'))
      process.stdout.write(`${loaded.graph.file} is valid: ${loaded.graph.steps.length} steps.\n`);
    return exitCodes.done;
  },
};
