import type { Command } from '../command.ts';
import { goOn } from '../go-on.ts';
import { runHelp } from '../run-flags.ts';

/** `joyul resume`. */
export const resume: Command = {
  usage: `joyul resume [RUN] [flags]

Goes on with a run that was interrupted, cancelled, stopped at a checkpoint, or failed: what had succeeded is
reused, and every other step goes on from its last checkpoint. (\`joyul retry\` begins failed steps anew.)
RUN is an id from \`joyul runs\`, or its end; the default is the last run. Its flags are given again, and those
that are added here win.

${runHelp}

Examples:
  joyul resume                              the last run
  joyul resume 4f2a1c -j 2                  another one, two steps at a time`,
  run: (argv) => goOn({ argv, isRetry: false }),
};
