import { availableParallelism, totalmem } from 'node:os';
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ParseArgsOptionsConfig } from 'node:util';
import {
  describeDiagnostic,
  findMissingFiles,
  formatDiagnostic,
  loadGraph,
  makePluginCatalog,
  selectSteps,
  splitTargets,
} from '@joyul/core';
import type { Diagnostic, Graph, LoadOptions, LoadResult, PlanOptions, StepPlaces } from '@joyul/core';
import type { Arguments } from './args.ts';
import { readChoice, readWholeNumber } from './args.ts';
import { findPipelineFile, findProject } from './project.ts';
import { hasColor } from './terminal/style.ts';
import { UsageError } from './usage-error.ts';

/** Flags of every command that reads a pipeline. */
export const pipelineFlags = {
  set: { type: 'string', short: 's', multiple: true },
  'params-file': { type: 'string' },
  profile: { type: 'string' },
  seed: { type: 'string' },
  backend: { type: 'string' },
  cache: { type: 'string' },
  force: { type: 'boolean', short: 'f' },
  'force-step': { type: 'string', multiple: true },
  'force-from': { type: 'string', multiple: true },
  only: { type: 'string', multiple: true },
  downstream: { type: 'boolean' },
  from: { type: 'string', multiple: true },
  until: { type: 'string', multiple: true },
  json: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const satisfies ParseArgsOptionsConfig;

/** The part of a command's help that tells of the flags that change a pipeline. */
export const changeHelp = `What the pipeline is:
  -s, --set NAME=VALUE    change a param, or steps.STEP.with.PARAM=VALUE; may stand several times
      --params-file FILE  params from a YAML or JSON file
      --profile NAME      the pipeline's named changes
      --seed N            decide every random draw
      --backend NAME      tensorflow, wasm or cpu; the default is the fastest here`;

/** The part of a command's help that tells of all flags of this file. */
export const pipelineHelp = `Which steps, where STEP may be a list, such as train,evaluate:
      --until STEP        only this step and what it needs
      --from STEP         only this step and what needs it
      --only STEP         only this step
      --downstream        with --only, also what needs it

${changeHelp}

What runs although its result is stored:
  -f, --force             every step
      --force-step STEP   this step
      --force-from STEP   this step and what needs it
      --cache MODE        rw (the default), ro: keep nothing, wo: reuse nothing, off`;

/** Prints diagnostics for people, and how many there are. */
export function printDiagnostics(diagnostics: readonly Diagnostic[]): void {
  if (diagnostics.length === 0) return;
  const isColored = hasColor(process.stderr);
  for (const diagnostic of diagnostics)
    process.stderr.write(`${formatDiagnostic(diagnostic, { hasColor: isColored })}\n\n`);
  const count = (severity: Diagnostic['severity']): string | undefined => {
    const found = diagnostics.filter((diagnostic) => diagnostic.severity === severity).length;
    return found === 0 ? undefined : `${found} ${severity}${found === 1 ? '' : 's'}`;
  };
  const counts = [count('error'), count('warning')].filter((part) => part !== undefined);
  process.stderr.write(`${counts.join(', ')}\n`);
}

/** Prints diagnostics as one JSON list, for programs. */
export function printDiagnosticsAsJson(diagnostics: readonly Diagnostic[]): void {
  process.stdout.write(`${JSON.stringify(diagnostics.map(describeDiagnostic), null, 2)}\n`);
}

/** A pipeline as the arguments ask for it. */
export interface LoadedPipeline {
  /** Absent when there are errors. */
  readonly ready?: { readonly graph: Graph; readonly options: PlanOptions };
  /** Errors and warnings, none of them printed yet. */
  readonly diagnostics: readonly Diagnostic[];
}

/** How a pipeline is read. */
interface ReadOptions {
  /** True for commands that may write into the project: the next one then starts faster. */
  readonly mayKeep?: boolean;
  /** The files that its steps read must be there. */
  readonly needsFiles?: boolean;
  /** It may be one that only another pipeline can use, because nothing gives its inputs. */
  readonly mayBePart?: boolean;
}

/** Loads the pipeline that the arguments name, and what they select of it. */
export async function readPipeline(
  args: Arguments,
  file: string | undefined,
  options: ReadOptions = {},
): Promise<LoadedPipeline> {
  const { mayKeep = false, mayBePart = false } = options;
  const load = { ...makeLoadOptions(args, findPipelineFile(file)), hasOpenInputs: mayBePart };
  const loaded = await loadGraph(load, { mayKeep });
  if (!loaded.ok) return { diagnostics: loaded.diagnostics };
  const chosen = choose(loaded, args, options);
  if (chosen.diagnostics.length === 0 || loaded.places !== undefined) return chosen;
  // A graph that was kept does not know where things stand: what is told of it is worth reading the files.
  const again = await loadGraph(load, { mayKeep: false, isFresh: true });
  return again.ok ? choose(again, args, options) : { diagnostics: again.diagnostics };
}

/** What the arguments select of a pipeline, and how it is to run. */
function choose(
  loaded: LoadResult & { readonly ok: true },
  args: Arguments,
  { needsFiles = false }: ReadOptions,
): LoadedPipeline {
  const backend = readChoice(args, 'backend', ['tensorflow', 'wasm', 'cpu']);
  const cache = readChoice(args, 'cache', ['rw', 'ro', 'wo', 'off']);
  const { places } = loaded;
  const graph = cache === undefined ? loaded.graph : withCache(loaded.graph, cache);
  const problems: Diagnostic[] = [];
  const report = (diagnostic: Diagnostic): void => void problems.push(diagnostic);
  const selected = selectFrom({ graph, ...(places === undefined ? {} : { places }) }, args, report);
  const force = readForce({ graph, ...(places === undefined ? {} : { places }) }, args, report);
  const verify = readVerify({ graph, ...(places === undefined ? {} : { places }) }, args, report);
  if (needsFiles) findMissingFiles(graph, places, selected).forEach(report);
  const diagnostics = [...loaded.diagnostics, ...problems];
  if (problems.some(({ severity }) => severity === 'error')) return { diagnostics };
  const options: PlanOptions = {
    ...(backend === undefined ? {} : { backend }),
    ...(selected === undefined ? {} : { selected }),
    force,
    verify,
  };
  return { ready: { graph, options }, diagnostics };
}

/** Loads the pipeline that the arguments name; undefined when it has errors. Problems are printed. */
export async function loadFromArguments(
  args: Arguments,
  file: string | undefined,
  options: ReadOptions = {},
): Promise<LoadedPipeline['ready']> {
  const { ready, diagnostics } = await readPipeline(args, file, options);
  // On success stdout belongs to the command's own JSON.
  if (args.has('json') && ready === undefined) printDiagnosticsAsJson(diagnostics);
  else printDiagnostics(diagnostics);
  return ready;
}

function makeLoadOptions(args: Arguments, path: string): LoadOptions {
  const projectDir = findProject(dirname(path));
  const seed = readWholeNumber(args, 'seed', 0);
  const paramsFile = args.value('params-file');
  const profile = args.value('profile');
  return {
    projectDir,
    file: relative(projectDir, path).replaceAll('\\', '/'),
    set: args.values('set'),
    ...(paramsFile === undefined ? {} : { paramsFile: relative(projectDir, resolve(paramsFile)) }),
    ...(profile === undefined ? {} : { profile }),
    ...(seed === undefined ? {} : { seed }),
    env: process.env,
    catalog: makePluginCatalog([projectDir, dirname(fileURLToPath(import.meta.url))]),
    cores: availableParallelism(),
    memoryBytes: totalmem(),
  };
}

/** A graph whose steps all have the same cache mode, unless theirs is stricter. */
function withCache(graph: Graph, cache: 'rw' | 'ro' | 'wo' | 'off'): Graph {
  const steps = graph.steps.map((step) => (step.cache === 'rw' ? { ...step, cache } : step));
  return { ...graph, steps, byId: new Map(steps.map((step) => [step.id, step])) };
}

/** The steps that a flag names, also several with commas between; undefined where it is not given. */
function listOf(args: Arguments, name: string): readonly string[] | undefined {
  const values = args.values(name).flatMap(splitTargets);
  return values.length === 0 ? undefined : values;
}

/** A graph, and where its steps stand where that is known. */
interface PlacedGraph {
  readonly graph: Graph;
  readonly places?: StepPlaces;
}

type Report = (diagnostic: Diagnostic) => void;

/** The steps that are to run whatever is stored; true means all. */
export function readForce(
  { graph, places }: PlacedGraph,
  args: Arguments,
  report: Report = () => undefined,
): ReadonlySet<string> | boolean {
  const [only, from] = [listOf(args, 'force-step'), listOf(args, 'force-from')];
  if (args.has('force')) return true;
  if (only === undefined && from === undefined) return false;
  const empty: ReadonlySet<string> = new Set();
  const named = only === undefined ? empty : selectSteps(graph, { only }, report, places);
  const after = from === undefined ? empty : selectSteps(graph, { from }, report, places);
  return (named ?? empty).union(after ?? empty);
}

/** The steps that are to run once more to be compared; true means all. */
export function readVerify(
  { graph, places }: PlacedGraph,
  args: Arguments,
  report: Report = () => undefined,
): ReadonlySet<string> | boolean {
  const only = listOf(args, 'verify');
  if (only === undefined) return false;
  return only.includes('') ? true : (selectSteps(graph, { only }, report, places) ?? true);
}

function selectFrom(
  { graph, places }: PlacedGraph,
  args: Arguments,
  report: Report,
): ReadonlySet<string> | undefined {
  const [only, from, until] = [listOf(args, 'only'), listOf(args, 'from'), listOf(args, 'until')];
  const isDownstream = args.has('downstream');
  if (isDownstream && only === undefined)
    throw new UsageError('--downstream goes with --only: `--only STEP --downstream`.');
  const start = isDownstream ? [...(only ?? []), ...(from ?? [])] : from;
  return selectSteps(
    graph,
    {
      ...(only === undefined || isDownstream ? {} : { only }),
      ...(start === undefined ? {} : { from: start }),
      ...(until === undefined ? {} : { until }),
    },
    report,
    places,
  );
}
