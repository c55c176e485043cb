import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { makeEditorSchema, makePluginCatalog, ownPlugins } from '@joyul/core';
import type { StepPlugin } from '@joyul/plugin-api';
import { parseArguments } from '../args.ts';
import type { Command } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { findProject } from '../project.ts';
import { UsageError } from '../usage-error.ts';

/** The schema of pipelines that may use Joyul's own plugins and the named ones, as text. */
export async function formatEditorSchema(more: readonly string[] = []): Promise<string> {
  const here = dirname(fileURLToPath(import.meta.url));
  const catalog = makePluginCatalog([findProject(process.cwd()), here]);
  const plugins = new Map<string, StepPlugin>();
  for (const uses of [...ownPlugins, ...more]) {
    const found = await catalog.resolve(uses);
    if ('problem' in found) throw new UsageError(found.message);
    plugins.set(uses, found.plugin);
  }
  return `${JSON.stringify(makeEditorSchema(plugins), null, 2)}\n`;
}

/** `joyul schema`. */
export const schema: Command = {
  usage: `joyul schema [PLUGIN...]

Prints the JSON Schema of pipeline files with the params of Joyul's own plugins and of those that are named.
Editors use it when a file begins with  # yaml-language-server: $schema=PATH`,
  async run(argv) {
    const args = parseArguments(argv, { help: { type: 'boolean', short: 'h' } });
    process.stdout.write(await formatEditorSchema(args.positionals));
    return exitCodes.done;
  },
};
