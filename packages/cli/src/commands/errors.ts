import { catalogue, explainCode, findNearest, formatReference } from '@joyul/core';
import { parseArguments } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { UsageError } from '../usage-error.ts';

/** `joyul errors`. */
export const errors: Command = {
  usage: `joyul errors [CODE...]

Says what the codes of messages mean and what mends them; without a code, the whole reference page in Markdown.`,
  // oxlint-disable-next-line require-await -- commands may wait, this one need not
  async run(argv) {
    const args = parseArguments(argv, { help: { type: 'boolean', short: 'h' } });
    const found = args.positionals.map((code) => {
      const text = explainCode(code);
      if (text !== undefined) return text;
      const nearest = findNearest(code, Object.keys(catalogue));
      throw new UsageError(
        `There is no code ${code}. ${nearest === undefined ? '`joyul errors` lists them.' : `Did you mean ${nearest}?`}`,
      );
    });
    process.stdout.write(found.length === 0 ? formatReference() : found.join('\n'));
    return exitCodes.done;
  },
};
