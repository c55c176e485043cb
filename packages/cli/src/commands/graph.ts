import { formatDot, formatMermaid } from '@joyul/core';
import { parseArguments } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { loadFromArguments, pipelineFlags, pipelineHelp } from '../pipeline-options.ts';
import { UsageError } from '../usage-error.ts';

const flags = { ...pipelineFlags, format: { type: 'string' } } as const;

const formats = { mermaid: formatMermaid, dot: formatDot };

/** `joyul graph`. */
export const graph: Command = {
  usage: `joyul graph [FILE] [flags]

Draws the steps and what flows between them.

      --format NAME       mermaid (the default) or dot
${pipelineHelp}`,
  async run(argv) {
    const args = parseArguments(argv, flags);
    const name = args.value('format') ?? 'mermaid';
    if (name !== 'mermaid' && name !== 'dot')
      throw new UsageError(`--format must be one of ${Object.keys(formats).join(', ')}, but is ${name}.`);
    const loaded = await loadFromArguments(args, args.positionals[0]);
    if (loaded === undefined) return exitCodes.badPipeline;
    process.stdout.write(formats[name](loaded.graph));
    return exitCodes.done;
  },
};
