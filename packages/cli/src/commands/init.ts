import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join, relative, resolve } from 'node:path';
import { joyulVersion } from '@joyul/core';
import { parseArguments } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { exampleSource, makeProjectFiles } from '../project-template.ts';
import { UsageError } from '../usage-error.ts';
import { formatEditorSchema } from './schema.ts';

/** `joyul init`. */
export const init: Command = {
  usage: `joyul init [FOLDER] [flags]

Makes a project: pipeline.yaml with the nine steps, its schema for editors, package.json and a README.
Files that are there already are never changed: any of them stops the command before it writes.

      --data FILE         your own rows, such as tickets.csv with the columns text and label;
                          the default is a public e-mail corpus

Examples:
  joyul init                                in this folder
  joyul init intents --data tickets.csv     in a new one, for your own rows`,
  async run(argv) {
    const args = parseArguments(argv, { data: { type: 'string' }, help: { type: 'boolean', short: 'h' } });
    const folder = resolve(args.positionals[0] ?? '.');
    const data = args.value('data');
    if (data !== undefined && !existsSync(data)) throw new UsageError(`There is no file ${data}.`);
    const files = {
      ...makeProjectFiles({
        name: basename(folder)
          .replaceAll(/[^\w-]+/g, '-')
          .toLowerCase(),
        source: data === undefined ? exampleSource : relative(folder, resolve(data)).replaceAll('\\', '/'),
        version: joyulVersion,
      }),
      'pipeline.schema.json': await formatEditorSchema(),
    };
    const taken = Object.keys(files).filter((name) => existsSync(join(folder, name)));
    if (taken.length > 0)
      throw new UsageError(
        `${taken.join(', ')} ${taken.length === 1 ? 'is' : 'are'} in ${folder} already, and nothing was written. Name another folder: \`joyul init FOLDER\`.`,
      );
    mkdirSync(folder, { recursive: true });
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    const place = relative(process.cwd(), folder);
    process.stdout.write(
      `Made a project in ${folder}: ${Object.keys(files).join(', ')}.\nNext: ${place === '' ? '' : `cd ${place} && `}joyul run\n`,
    );
    return exitCodes.done;
  },
};
