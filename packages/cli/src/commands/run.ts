import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { loadFromArguments } from '../pipeline-options.ts';
import { parseRunArguments, runHelp } from '../run-flags.ts';
import { startRun } from '../start-run.ts';

/** `joyul run`. */
export const run: Command = {
  usage: `joyul run [FILE] [flags]

Runs what is out of date and reuses the rest. Ctrl-C once ends it gracefully: steps write checkpoints, and
\`joyul resume\` goes on from there.

${runHelp}
      --json              events as JSON lines on stdout`,
  async run(argv) {
    const args = parseRunArguments(argv);
    const loaded = await loadFromArguments(args, args.positionals[0], {
      mayKeep: !args.has('dry-run'),
      needsFiles: true,
    });
    return loaded === undefined ? exitCodes.badPipeline : startRun(loaded, { args });
  },
};
