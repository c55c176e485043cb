/** The flags of `run`, and of what goes on with a run: read, written down, and put together. */
import { relative, resolve } from 'node:path';
import type { ParseArgsOptionsConfig } from 'node:util';
import type { RunRecord } from '@joyul/core';
import type { Arguments } from './args.ts';
import { parseArguments } from './args.ts';
import { pipelineFlags, pipelineHelp } from './pipeline-options.ts';
import { UsageError } from './usage-error.ts';

/** Flags of every command that runs a pipeline. */
export const runFlags = {
  'dry-run': { type: 'boolean', short: 'n' },
  'keep-going': { type: 'boolean', short: 'k' },
  jobs: { type: 'string', short: 'j' },
  verify: { type: 'string', multiple: true },
  locked: { type: 'boolean' },
  ...pipelineFlags,
} as const satisfies ParseArgsOptionsConfig;

/** The part of a command's help that tells of them. */
export const runHelp = `  -n, --dry-run           show what would run and why; change nothing
  -k, --keep-going        go on with what does not need a failed step
  -j, --jobs N            steps that may run at once; the default is the number of cores
      --locked            run nothing, and leave with 1, when something differs from the lock file
      --verify [STEP]     run a step once more, compare what it gives with what is stored, which stays, and
                          leave with 1 when they differ; one that must run anyway runs twice. The default is all
      --json              events as JSON lines on stdout

${pipelineHelp}`;

type FlagName = keyof typeof runFlags;

/** How a run is shown, and whether it is one, is no part of it. */
const showing: readonly FlagName[] = ['dry-run', 'json'];

/** `--verify` may stand alone: it then means all steps. */
export const completeVerify = (argv: readonly string[]): readonly string[] =>
  argv.map((item, at) => {
    const next = argv[at + 1];
    const isAlone = next === undefined || next.startsWith('-') || /\.ya?ml$/.test(next);
    return item === '--verify' && isAlone ? '--verify=' : item;
  });

/** Parses what was typed after a command that runs a pipeline. */
export const parseRunArguments = (argv: readonly string[]): Arguments =>
  parseArguments(completeVerify(argv), runFlags);

/** One flag with each of its values, as it may be typed. */
function formatFlag(args: Arguments, name: FlagName): readonly string[] {
  const flag: ParseArgsOptionsConfig[string] = runFlags[name];
  if (flag.type === 'boolean') return args.has(name) ? [`--${name}`] : [];
  const values = flag.multiple === true ? args.values(name) : [args.value(name) ?? []].flat();
  return values.map((value) => `--${name}=${value}`);
}

const allNames = Object.keys(runFlags) as FlagName[]; // The keys of that object.
const names = allNames.filter((name) => name !== 'help' && !showing.includes(name));

/** What a run's record says of how it was started, so that it can be made again from anywhere in the project. */
export function formatFlags(args: Arguments, projectDir: string): readonly string[] {
  const paramsFile = args.value('params-file');
  return names.flatMap((name) =>
    name === 'params-file' && paramsFile !== undefined
      ? [`--${name}=${relative(projectDir, resolve(paramsFile)).replaceAll('\\', '/')}`]
      : formatFlag(args, name),
  );
}

/** Flags that choose steps: any of them replaces all that a run had. */
const selecting: readonly string[] = ['only', 'downstream', 'from', 'until'];

/** Steps that run again or are compared: what of them is still to be done is found out elsewhere. */
const repeating: readonly string[] = ['force', 'force-step', 'force-from', 'verify'];

/** True for a flag with a secret in it, which is never written down. */
export const isMasked = (item: string): boolean => item.includes('***');

const nameOfSet = (text: string): string => text.slice(0, text.indexOf('='));

/** What an earlier run was given, but for steps that it was to repeat, with flags that were added to it; those win. */
export function mergeFlags(run: RunRecord, added: Arguments, projectDir: string): Arguments {
  const recorded = parseRunArguments(run.flags);
  const isSelecting = selecting.some((name) => added.has(name) || added.values(name).length > 0);
  const set = new Set(added.values('set').map(nameOfSet));
  const kept = names.flatMap((name) => {
    if (repeating.includes(name) || (isSelecting && selecting.includes(name))) return [];
    const items = formatFlag(recorded, name);
    if (name === 'set') return items.filter((item) => !set.has(nameOfSet(item.slice('--set='.length))));
    if (name !== 'params-file') return items;
    return items.map((item) => `--${name}=${resolve(projectDir, item.slice(`--${name}=`.length))}`);
  });
  const masked = kept.find(isMasked);
  if (masked !== undefined)
    throw new UsageError(
      `Run ${run.runId} was given a secret, which is never written down: ${masked}. Give it again.`,
    );
  // The last one of a flag that stands once counts.
  return parseRunArguments([...kept, ...[...names, ...showing].flatMap((name) => formatFlag(added, name))]);
}
