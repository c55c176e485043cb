/** The front half of the engine: read → parse → compose → validate → expand → link. */
import type { JsonObject } from '@joyul/plugin-api';
import type { Diagnostic, DiagnosticCode } from '../diagnostics/diagnostic.ts';
import type { SourceRange } from '../diagnostics/source.ts';
import type { Graph } from '../graph/graph.ts';
import { linkSteps } from '../graph/link.ts';
import type { PluginCatalog } from '../graph/plugin-catalog.ts';
import { Composer, applyDefaults, applyProfile } from './compose.ts';
import type { ParsedDocument } from './document.ts';
import { makeDocument, parseDocument } from './document.ts';
import { explainSchemaErrors } from './explain-schema.ts';
import { makeSteps } from './make-steps.ts';
import type { ParamOverride } from './params.ts';
import { collectFromFile, resolveParams } from './params.ts';
import { pipelineSchema } from './pipeline-schema.ts';
import type { PipelineSpec } from './pipeline-spec.ts';
import { readSource } from './read-source.ts';
import { validateValue } from './schema-validator.ts';
import { parseSets } from './sets.ts';
import { isWordLikeTruth } from './tree-builder.ts';
import type { MapTree } from './tree.ts';
import { entryOf } from './tree.ts';
import { parseSize } from './units.ts';

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
  readonly catalog: PluginCatalog;
  readonly cores: number;
  readonly memoryBytes: number;
}

/** A linked pipeline, or everything that is wrong with it. */
export type LoadResult =
  | { readonly ok: true; readonly graph: Graph; readonly diagnostics: readonly Diagnostic[] }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

/** Loads a pipeline; every problem of a phase is told, then it stops. */
export async function loadPipeline(options: LoadOptions): Promise<LoadResult> {
  const problems = new Problems();
  const reader = new FileReader(await import('yaml'), options, problems);
  const document = composeDocument(reader, options, problems);
  if (document === undefined || problems.hasErrors) return { ok: false, diagnostics: problems.all };
  validateShape(document, problems);
  if (problems.hasErrors) return { ok: false, diagnostics: problems.all };
  const spec = document.value as PipelineSpec; // The schema has just been checked.
  // Loaded only where it is needed: most pipelines are started by hand.
  if (spec.schedule !== undefined)
    (await import('./schedule.ts')).checkSchedule(spec.schedule, document, problems.report);
  const scope = makeScope(spec, document, options, reader, problems);
  const steps = await makeSteps({
    spec,
    document,
    catalog: options.catalog,
    cores: options.cores,
    pools: scope.pools,
    scope: scope.values,
    sets: scope.sets,
    report: problems.report,
  });
  const linked = linkSteps(steps, problems.report, Object.keys(spec.steps));
  if (problems.hasErrors) return { ok: false, diagnostics: problems.all };
  const graph: Graph = {
    name: spec.name,
    projectDir: options.projectDir,
    file: options.file,
    params: scope.values.params as JsonObject, // YAML and JSON give JSON values.
    seed: scope.seed,
    steps: linked,
    byId: new Map(linked.map((step) => [step.id, step])),
    pools: scope.pools,
    ...(spec.schedule === undefined ? {} : { schedule: spec.schedule }),
  };
  return { ok: true, graph, diagnostics: problems.all };
}

/** Everything that was told, each thing once: the instances of a matrix share their mistakes. */
class Problems {
  readonly #all: Diagnostic[] = [];
  readonly #seen = new Map<unknown, Set<string>>();
  hasErrors = false;

  get all(): readonly Diagnostic[] {
    return this.#all;
  }

  readonly report = (diagnostic: Diagnostic): void => {
    const { range, code, message } = diagnostic;
    const key = `${code} ${range?.start ?? ''} ${message}`;
    const seen = this.#seen.get(range?.source) ?? new Set<string>();
    this.#seen.set(range?.source, seen);
    if (seen.has(key)) return;
    seen.add(key);
    this.hasErrors ||= diagnostic.severity === 'error';
    this.#all.push(diagnostic);
  };
}

/** Reads and parses the files of a pipeline. */
class FileReader {
  readonly #yaml: typeof import('yaml');
  readonly #options: LoadOptions;
  readonly #problems: Problems;

  constructor(yaml: typeof import('yaml'), options: LoadOptions, problems: Problems) {
    this.#yaml = yaml;
    this.#options = options;
    this.#problems = problems;
  }

  /** `missing` is the code for a file that is not there. */
  read(file: string, missing: DiagnosticCode, from?: SourceRange): ParsedDocument | undefined {
    const { report } = this.#problems;
    const found = readSource(this.#options.projectDir, file);
    if ('problem' in found) {
      const codes = {
        missing,
        unreadable: missing,
        'too large': 'FILE_TOO_LARGE',
        'not text': 'FILE_ENCODING',
      };
      const helps = {
        missing: 'Check the path.',
        unreadable: 'Check the path.',
        'too large': 'Put data into files that steps read.',
        'not text': 'Save it as UTF-8.',
      };
      report({
        code: codes[found.problem] as DiagnosticCode, // The literals above are codes.
        severity: 'error',
        message: found.message,
        ...(from === undefined ? {} : { range: from }),
        help: helps[found.problem],
      });
      return undefined;
    }
    const { document, diagnostics } = parseDocument(this.#yaml, { file, text: found.text });
    diagnostics.forEach(report);
    return document;
  }

  readMap(file: string, missing: DiagnosticCode, from?: SourceRange): MapTree | undefined {
    const document = this.read(file, missing, from);
    if (document === undefined) return undefined;
    if (document.tree.kind === 'map') return document.tree;
    explainSchemaErrors(validateValue({ type: 'object' }, document.value), document, wording).forEach(
      this.#problems.report,
    );
    return undefined;
  }
}

const wording = {
  owner: 'The pipeline',
  noun: 'key',
  codes: { wrong: 'WRONG_TYPE', unknown: 'UNKNOWN_KEY' },
} as const;

/** The pipeline file with its bases, its included files, its profile and its defaults. */
function composeDocument(
  reader: FileReader,
  options: LoadOptions,
  problems: Problems,
): ParsedDocument | undefined {
  const { report } = problems;
  const root = reader.readMap(options.file, 'FILE_UNREADABLE');
  if (root === undefined) return undefined;
  const composer = new Composer((file, from) => reader.readMap(file, 'INCLUDE_UNREADABLE', from), report);
  const composed = composer.compose(options.file, root);
  const chosen = options.profile === undefined ? composed : applyProfile(composed, options.profile, report);
  if (chosen === undefined) return undefined;
  return makeDocument(applyDefaults(chosen));
}

function validateShape(document: ParsedDocument, problems: Problems): void {
  const errors = validateValue(pipelineSchema, document.value);
  explainSchemaErrors(errors, document, wording).forEach(problems.report);
  const params = entryOf(document.tree, 'params')?.value;
  if (params?.kind !== 'map') return;
  for (const [name, { value }] of params.entries) {
    if (value.kind !== 'scalar' || !isWordLikeTruth(value)) continue;
    problems.report({
      code: 'YAML_WORD',
      severity: 'warning',
      message: `The param "${name}" is the text "${String(value.value)}" and not a truth value.`,
      range: value.range,
      help: `Write true or false, or put the text in quotes.`,
    });
  }
}

interface ScopeResult {
  readonly values: Readonly<Record<'params' | 'env' | 'secrets' | 'run', Readonly<Record<string, unknown>>>>;
  readonly sets: ReturnType<typeof parseSets>['steps'];
  readonly pools: Readonly<Record<string, number>>;
  readonly seed: number;
}

/** What expressions may name, after everything that may change it. */
function makeScope(
  spec: PipelineSpec,
  document: ParsedDocument,
  options: LoadOptions,
  reader: FileReader,
  { report }: Problems,
): ScopeResult {
  const names = Object.keys(spec.params ?? {});
  const seed = options.seed ?? spec.seed ?? 42;
  const sets = parseSets(options.set ?? [], { params: names, steps: Object.keys(spec.steps) }, report);
  const overrides = new Map<string, ParamOverride>();
  if (options.paramsFile !== undefined) {
    const file = reader.read(options.paramsFile, 'PARAMS_FILE');
    const found = file === undefined ? undefined : collectFromFile(file, options.paramsFile, names, report);
    for (const [name, override] of found ?? []) overrides.set(name, override);
  }
  for (const [name, override] of sets.params) overrides.set(name, override);
  const declared = Array.isArray(spec.env)
    ? spec.env.map((name: string) => [name, null] as const)
    : Object.entries(spec.env ?? {});
  const scope = {
    env: Object.fromEntries(declared.map(([name, fallback]) => [name, options.env?.[name] ?? fallback])),
    secrets: Object.fromEntries((spec.secrets ?? []).map((name) => [name, { $secret: name }])),
    run: { pipeline: spec.name, seed },
  };
  const pools = Object.entries(spec.pools ?? {}).map(([name, size]) => [name, parseSize(size) ?? 0] as const);
  return {
    values: { params: resolveParams({ document, overrides, scope, report }), ...scope },
    sets: sets.steps,
    pools: { cpu: options.cores, memory: options.memoryBytes, ...Object.fromEntries(pools) },
    seed,
  };
}
