/** The front half of the engine: read → parse → compose → validate → expand → link. */
import type { JsonObject } from '@joyul/plugin-api';
import type { Diagnostic, DiagnosticCode } from '../diagnostics/diagnostic.ts';
import { digestGraph } from '../graph/digest-graph.ts';
import type { Graph } from '../graph/graph.ts';
import { linkPipeline } from '../graph/link.ts';
import type { StepPlaces } from '../graph/places.ts';
import type { PluginCatalog } from '../graph/plugin-catalog.ts';
import { makePipeline } from './make-steps.ts';
import type { ParamOverride } from './params.ts';
import { collectFromFile } from './params.ts';
import type { PipelineFile } from './pipeline-files.ts';
import { PipelineFiles } from './pipeline-files.ts';
import { makePools } from './pools.ts';
import type { Sets } from './sets.ts';
import { parseSets } from './sets.ts';
import type { SharedParts } from './step-site.ts';
import { makeScope } from './use-pipeline.ts';

/** Where a pipeline comes from and what the command line changes. */
export interface LoadOptions {
  /** Absolute. */
  readonly projectDir: string;
  /** Relative to the project. */
  readonly file: string;
  /** `name=value` for params, or `steps.train.with.epochs=3`. */
  readonly set?: readonly string[];
  /** Relative to the project. */
  readonly paramsFile?: string;
  readonly profile?: string;
  /** Replaces the pipeline's own. */
  readonly seed?: number;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** True to check a pipeline that another one uses: nothing gives its inputs, and maybe not all params. */
  readonly hasOpenInputs?: boolean;
  readonly catalog: PluginCatalog;
  /** Told each file that is looked for; relative to the project. */
  readonly onRead?: (file: string) => void;
  readonly cores: number;
  readonly memoryBytes: number;
}

/** A linked pipeline, or everything that is wrong with it. */
export type LoadResult =
  | {
      readonly ok: true;
      readonly graph: Graph;
      /** Absent for a graph that was kept when it was loaded last. */
      readonly places?: StepPlaces;
      readonly diagnostics: readonly Diagnostic[];
    }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** What is wrong with a step, or the whole, whatever other steps there are. */
const ownMistakes: ReadonlySet<DiagnosticCode> = new Set([
  'SCHEDULE_INVALID',
  'PARAM_TYPE',
  'PARAM_UNKNOWN',
  'PARAM_MISSING',
  'PARAM_VALUE',
  'PARAM_CYCLE',
  'PARAMS_FILE',
  'PLUGIN_UNKNOWN',
  'PLUGIN_INVALID',
  'EXPRESSION_SYNTAX',
  'MATRIX_EMPTY',
  'MATRIX_DUPLICATE',
  'MATRIX_TOO_LARGE',
  'POOL_UNKNOWN',
  'POOL_EXCEEDED',
  'INPUT_FORMAT',
  'INPUT_UNKNOWN_PORT',
]);

/**
 * Loads a pipeline; every problem of a phase is told, then it stops.
 *
 * Where steps have a wrong shape, the others are still looked at for mistakes of their own.
 */
export async function loadPipeline(options: LoadOptions): Promise<LoadResult> {
  const problems = new Problems();
  const { report } = problems;
  const files = new PipelineFiles(await import('yaml'), options, report);
  const root = files.load(options.file, options.profile);
  if (root === undefined || (problems.hasErrors && root.isPartial !== true))
    return { ok: false, diagnostics: problems.all };
  if (root.isPartial === true) problems.only = ownMistakes;
  const { spec, document } = root;
  // Loaded only where it is needed: most pipelines are started by hand.
  if (spec.schedule !== undefined)
    (await import('./schedule.ts')).checkSchedule(spec.schedule, document, report);
  const isOpen = options.hasOpenInputs === true && (spec.inputs ?? spec.outputs) !== undefined;
  if (!isOpen) reportOpenInputs(root, report);
  const sets = parseSets(
    options.set ?? [],
    { params: Object.keys(spec.params ?? {}), steps: [...listSteps(root)] },
    report,
  );
  const shared = await makeShared(root, files, options, report);
  const overrides = collectOverrides(root, files, sets, options, report);
  const scope = makeScope(root, overrides, shared, { isOpen });
  const pipeline = makePipeline(
    { shared, file: root, document, scope, sets: sets.steps, id: '', group: '', isEnabled: true },
    { axes: {}, wires: {}, range: document.rangeOf([]), portRange: () => document.rangeOf([]) },
  );
  const { steps, places } = linkPipeline(pipeline, report);
  if (problems.hasErrors) return { ok: false, diagnostics: problems.all };
  const { capacities, devices } = shared.pools;
  const read: Graph = {
    name: spec.name,
    projectDir: options.projectDir,
    file: options.file,
    params: scope.params as JsonObject, // YAML and JSON give JSON values.
    seed: options.seed ?? spec.seed ?? 42,
    steps,
    byId: new Map(steps.map((step) => [step.id, step])),
    pools: capacities,
    ...(Object.keys(devices).length === 0 ? {} : { devices }),
    ...(spec.schedule === undefined ? {} : { schedule: spec.schedule }),
  };
  const graph = { ...read, digest: digestGraph(read) };
  return { ok: true, graph, places, diagnostics: problems.all };
}

/** Everything that was told, each thing once: the instances of a matrix share their mistakes. */
class Problems {
  readonly #all: Diagnostic[] = [];
  readonly #seen = new Map<unknown, Set<string>>();
  hasErrors = false;
  /** Nothing but this is told any more; absent means everything is. */
  only: ReadonlySet<DiagnosticCode> | undefined;

  get all(): readonly Diagnostic[] {
    return this.#all;
  }

  readonly report = (diagnostic: Diagnostic): void => {
    const { range, code, message } = diagnostic;
    if (this.only?.has(code) === false) return;
    const key = `${code} ${range?.start ?? ''} ${message}`;
    const seen = this.#seen.get(range?.source) ?? new Set<string>();
    this.#seen.set(range?.source, seen);
    if (seen.has(key)) return;
    seen.add(key);
    this.hasErrors ||= diagnostic.severity === 'error';
    this.#all.push(diagnostic);
  };
}

/** Finds plugins and pools for all files at once. */
async function makeShared(
  root: PipelineFile,
  files: PipelineFiles,
  options: LoadOptions,
  report: (diagnostic: Diagnostic) => void,
): Promise<SharedParts> {
  const { catalog, cores, env = {} } = options;
  const names = files.all.flatMap(({ spec, uses }) =>
    Object.entries(spec.steps).flatMap(([name, step]) => (uses.has(name) ? [] : [step.uses])),
  );
  // Plugins load at the same time; each is asked for once, whatever the number of steps.
  const plugins = await Promise.all(
    [...new Set(names)].map(async (uses) => [uses, await catalog.resolve(uses)] as const),
  );
  return {
    plugins: new Map(plugins),
    catalog,
    cores,
    pools: makePools([root, ...files.all], options, report),
    env,
    run: { pipeline: root.spec.name, seed: options.seed ?? root.spec.seed ?? 42 },
    count: { steps: 0 },
    report,
  };
}

/** Names of steps, those inside of pipelines that are used included: `tune`, `tune/train`. */
function* listSteps({ spec, uses }: PipelineFile): Generator<string> {
  for (const name of Object.keys(spec.steps)) {
    yield name;
    const used = uses.get(name);
    if (used !== undefined) for (const inner of listSteps(used)) yield `${name}/${inner}`;
  }
}

/** Params from the params file, and over them those from the command line. */
// oxlint-disable-next-line max-params -- one caller, and each is another thing
function collectOverrides(
  { spec }: PipelineFile,
  files: PipelineFiles,
  sets: Sets,
  { paramsFile }: LoadOptions,
  report: (diagnostic: Diagnostic) => void,
): ReadonlyMap<string, ParamOverride> {
  const document = paramsFile === undefined ? undefined : files.readDocument(paramsFile, 'PARAMS_FILE');
  const found =
    document === undefined || paramsFile === undefined
      ? []
      : collectFromFile(document, paramsFile, Object.keys(spec.params ?? {}), report);
  return new Map([...found, ...sets.params]);
}

/** A pipeline that must be given something cannot be run by itself. */
function reportOpenInputs(
  { spec, document, file }: PipelineFile,
  report: (diagnostic: Diagnostic) => void,
): void {
  for (const [name, { type, optional }] of Object.entries(spec.inputs ?? {})) {
    if (optional === true) continue;
    report({
      code: 'PIPELINE_INPUT',
      severity: 'error',
      message: `The pipeline needs the input "${name}" of type "${type}", which only another pipeline can give.`,
      range: document.rangeOfKey(['inputs', name]),
      help: `Use it as a step: \`uses: ./${file}\` with \`inputs: { ${name}: step.port }\`; or make the input optional.`,
    });
  }
}
