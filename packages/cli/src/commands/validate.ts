import { parseArguments } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import {
  changeHelp,
  pipelineFlags,
  printDiagnostics,
  printDiagnosticsAsJson,
  readPipeline,
} from '../pipeline-options.ts';

const countSteps = (count: number): string => `${count} ${count === 1 ? 'step' : 'steps'}`;

/** `joyul validate`. */
export const validate: Command = {
  usage: `joyul validate [FILE] [flags]

Checks a pipeline and tells every problem at once: file, line and column, what is wrong, what to type.
Nothing is run or written.

      --json              problems as a JSON list on stdout

${changeHelp}`,
  async run(argv) {
    const args = parseArguments(argv, pipelineFlags);
    const { ready, diagnostics } = await readPipeline(args, args.positionals[0], {
      needsFiles: true,
      mayBePart: true,
    });
    if (args.has('json')) printDiagnosticsAsJson(diagnostics);
    else printDiagnostics(diagnostics);
    if (ready === undefined) return exitCodes.badPipeline;
    if (!args.has('json'))
      process.stdout.write(`${ready.graph.file} is valid: ${countSteps(ready.graph.steps.length)}.\n`);
    return exitCodes.done;
  },
};
