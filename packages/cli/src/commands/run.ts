import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { loadFromArguments } from '../pipeline-options.ts';
import { parseRunArguments, runHelp } from '../run-flags.ts';
import { startRun } from '../start-run.ts';

/** `joyul run`. */
export const run: Command = {
  usage: `joyul run [FILE] [flags]

Runs what is out of date and reuses the rest. Ctrl-C once ends it gracefully: steps write checkpoints, and
\`joyul resume\` goes on from there. Ctrl-C twice ends it at once. FILE may be left out where there is only one.

${runHelp}

Examples:
  joyul run                                 the only pipeline here
  joyul run -s learning_rate=1e-4 -n        what a change would make run
  joyul run --until train                   no further than the step train
  joyul run --verify train                  does train give the same each time?`,
  async run(argv) {
    const args = parseRunArguments(argv);
    const loaded = await loadFromArguments(args, args.positionals[0], {
      mayKeep: !args.has('dry-run'),
      needsFiles: true,
    });
    return loaded === undefined ? exitCodes.badPipeline : startRun(loaded, { args });
  },
};
