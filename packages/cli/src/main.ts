#!/usr/bin/env node
/** The joyul command: finds the command that was named and runs it; nothing else is loaded. */
import { enableCompileCache } from 'node:module';
import { join } from 'node:path';
import { UsageError } from './args.ts';
import type { Command } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { cacheDir } from './pipeline-options.ts';
import { findNearest, joyulVersion } from '@joyul/core';

enableCompileCache(join(cacheDir(), 'compile-cache'));

/** Each command is loaded only when it is named. */
const commands: Readonly<Record<string, () => Promise<Command>>> = {
  validate: () => import('./commands/validate.ts').then((module) => module.validate),
  plan: () => import('./commands/plan.ts').then((module) => module.plan),
  run: () => import('./commands/run.ts').then((module) => module.run),
  why: () => import('./commands/why.ts').then((module) => module.why),
  runs: () => import('./commands/runs.ts').then((module) => module.runs),
  show: () => import('./commands/show.ts').then((module) => module.show),
  serve: () => import('./commands/serve.ts').then((module) => module.serve),
};

async function main(argv: readonly string[]): Promise<number> {
  const [name = '--help', ...rest] = argv;
  if (name === '--version' || name === '-v') {
    process.stdout.write(`${joyulVersion}\n`);
    return exitCodes.done;
  }
  if (name === '--help' || name === '-h' || name === 'help') return printHelp();
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (load === undefined) {
    const nearest = findNearest(name, Object.keys(commands));
    throw new UsageError(
      `There is no command "${name}".${nearest === undefined ? ' `joyul --help` lists them.' : ` Did you mean "${nearest}"?`}`,
    );
  }
  const command = await load();
  if (rest.includes('--help') || rest.includes('-h')) {
    process.stdout.write(`${command.usage}\n`);
    return exitCodes.done;
  }
  return command.run(rest);
}

async function printHelp(): Promise<number> {
  process.stdout.write('joyul: fine-tunes pretrained models by declared pipelines\n\n');
  for (const [name, load] of Object.entries(commands))
    process.stdout.write(`  ${name.padEnd(10)} ${(await load()).summary}\n`);
  process.stdout.write('\n`joyul COMMAND --help` tells more.\n');
  return exitCodes.done;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = exitCodes.badPipeline;
}
