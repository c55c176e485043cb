import type { Command } from '../command.ts';
import { goOn } from '../go-on.ts';

/** In `retry`, `--from` says which steps run again; `run` has it for which steps run at all. */
const renameFrom = (argv: readonly string[]): readonly string[] =>
  argv.map((item) => item.replace(/^--from(?=$|=)/, '--force-from'));

/** `joyul retry`. */
export const retry: Command = {
  usage: `joyul retry [RUN] [flags]

Goes on with a run as \`joyul resume\` does, but every step that had failed begins anew: its checkpoints are
removed first, and its result is made again. RUN is an id from \`joyul runs\`, or its end; the default is the
last run. Its flags are given again, and all flags of \`joyul resume\` may be added.

      --from STEP         run this step and what needs it again as well, also in a run that succeeded
  -n, --dry-run           show what would run and why; change nothing
      --json              events as JSON lines on stdout

Examples:
  joyul retry                               the steps that failed in the last run
  joyul retry --from train                  train and what needs it, too`,
  run: (argv) => goOn({ argv: renameFrom(argv), isRetry: true }),
};
