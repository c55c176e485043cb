import { existsSync, readdirSync } from 'node:fs';
import { availableParallelism, homedir, totalmem } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ParseArgsOptionsConfig } from 'node:util';
import {
  formatDiagnostic,
  loadPipeline,
  makePluginCatalog,
  describeDiagnostic,
  selectSteps,
} from '@joyul/core';
import type { Diagnostic, Graph, PlanOptions } from '@joyul/core';
import type { Arguments } from './args.ts';
import { UsageError } from './args.ts';

/** Flags of every command that reads a pipeline. */
export const pipelineFlags = {
  set: { type: 'string', short: 's', multiple: true },
  'params-file': { type: 'string' },
  profile: { type: 'string' },
  seed: { type: 'string' },
  backend: { type: 'string' },
  force: { type: 'boolean', short: 'f' },
  'force-step': { type: 'string', multiple: true },
  only: { type: 'string', multiple: true },
  from: { type: 'string', multiple: true },
  until: { type: 'string', multiple: true },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsOptionsConfig;

/** The folder that all projects of one user share. */
export function cacheDir(): string {
  const base = process.env['XDG_CACHE_HOME'];
  return (
    process.env['JOYUL_CACHE'] ??
    join(base === undefined || base === '' ? join(homedir(), '.cache') : base, 'joyul')
  );
}

/** The project that a path belongs to: the nearest folder above it with a package.json or a .joyul folder. */
export function findProject(from: string): string {
  for (let folder = resolve(from); ; folder = dirname(folder)) {
    if (existsSync(join(folder, '.joyul')) || existsSync(join(folder, 'package.json'))) return folder;
    if (folder === dirname(folder)) return resolve(from);
  }
}

/** The pipeline file that was named, or the only one there is. */
function findPipelineFile(named: string | undefined): string {
  if (named !== undefined) return resolve(named);
  const folders = [process.cwd(), join(process.cwd(), 'pipelines')];
  const files = folders.flatMap((folder) =>
    existsSync(folder)
      ? readdirSync(folder)
          .filter(
            (name) =>
              /^(?:.*\.pipeline|pipeline|joyul)\.ya?ml$/.test(name) ||
              (folder.endsWith('pipelines') && /\.ya?ml$/.test(name)),
          )
          .map((name) => join(folder, name))
      : [],
  );
  const [only] = files;
  if (files.length === 1 && only !== undefined) return only;
  if (files.length === 0)
    throw new UsageError(
      'No pipeline file was named and none was found here. Name one, or make a project with `joyul init`.',
    );
  throw new UsageError(
    `Name one of the pipelines: ${files.map((file) => relative(process.cwd(), file)).join(', ')}.`,
  );
}

/** Prints diagnostics for people, or as JSON lines for programs. */
export function printDiagnostics(diagnostics: readonly Diagnostic[], isJson: boolean): void {
  if (isJson) {
    process.stdout.write(`${JSON.stringify(diagnostics.map(describeDiagnostic), null, 2)}\n`);
    return;
  }
  for (const diagnostic of diagnostics) process.stderr.write(`${formatDiagnostic(diagnostic)}\n\n`);
}

const backends = ['tensorflow', 'wasm', 'cpu'] as const;

/** Loads the pipeline that the arguments name; undefined when it has errors, which are printed. */
export async function loadFromArguments(
  args: Arguments,
  file: string | undefined,
): Promise<{ readonly graph: Graph; readonly options: PlanOptions } | undefined> {
  const path = findPipelineFile(file);
  const projectDir = findProject(dirname(path));
  const seed = args.value('seed');
  if (seed !== undefined && !/^\d+$/.test(seed))
    throw new UsageError(`--seed must be a whole number, but is ${seed}.`);
  const backend = backends.find((name) => name === args.value('backend'));
  if (args.value('backend') !== undefined && backend === undefined)
    throw new UsageError(`--backend must be one of ${backends.join(', ')}.`);
  const paramsFile = args.value('params-file');
  const profile = args.value('profile');
  const loaded = await loadPipeline({
    projectDir,
    file: relative(projectDir, path).replaceAll('\\', '/'),
    set: args.values('set'),
    ...(paramsFile === undefined ? {} : { paramsFile: relative(projectDir, resolve(paramsFile)) }),
    ...(profile === undefined ? {} : { profile }),
    ...(seed === undefined ? {} : { seed: Number(seed) }),
    env: process.env,
    catalog: makePluginCatalog([projectDir, dirname(fileURLToPath(import.meta.url))]),
    cores: availableParallelism(),
    memoryBytes: totalmem(),
  });
  printDiagnostics(loaded.diagnostics, args.has('json'));
  if (!loaded.ok) return undefined;
  const problems: Diagnostic[] = [];
  const report = (diagnostic: Diagnostic): void => void problems.push(diagnostic);
  const selected = selectFrom(loaded.graph, args, report);
  const forced =
    args.values('force-step').length === 0
      ? undefined
      : selectSteps(loaded.graph, { only: args.values('force-step') }, report);
  printDiagnostics(problems, args.has('json'));
  if (problems.length > 0) return undefined;
  const options: PlanOptions = {
    ...(backend === undefined ? {} : { backend }),
    ...(selected === undefined ? {} : { selected }),
    force: forced ?? args.has('force'),
  };
  return { graph: loaded.graph, options };
}

function selectFrom(
  graph: Graph,
  args: Arguments,
  report: (diagnostic: Diagnostic) => void,
): ReadonlySet<string> | undefined {
  const list = (name: string): readonly string[] | undefined => {
    const values = args.values(name).flatMap((value) => value.split(','));
    return values.length === 0 ? undefined : values;
  };
  const [only, from, until] = [list('only'), list('from'), list('until')];
  return selectSteps(
    graph,
    {
      ...(only === undefined ? {} : { only }),
      ...(from === undefined ? {} : { from }),
      ...(until === undefined ? {} : { until }),
    },
    report,
  );
}
