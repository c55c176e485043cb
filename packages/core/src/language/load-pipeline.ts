/** The front half of the engine: read → parse → validate → expand → link. */
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonObject } from '@joyul/plugin-api';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { SourceRange } from '../diagnostics/source.ts';
import type { Graph, GraphStep, ResolvedPlugin, RetryPolicy } from '../graph/graph.ts';
import { linkSteps } from '../graph/link.ts';
import type { UnlinkedStep } from '../graph/link.ts';
import type { PluginCatalog } from '../graph/plugin-catalog.ts';
import { findNearest } from '../util/suggest.ts';
import type { ParsedDocument } from './document.ts';
import { maxFileBytes, parseDocument } from './document.ts';
import { evaluateValue, expandMatrix, formatInstanceId, parseDuration } from './expand.ts';
import type { MatrixValues } from './expand.ts';
import type { Scope } from './expression.ts';
import { pipelineSchema } from './pipeline-schema.ts';
import { SchemaValidator, explainSchemaErrors } from './validate.ts';

/** Where a pipeline comes from and what the command line changes. */
export interface LoadOptions {
  readonly projectDir: string;
  /** Relative to the project. */
  readonly file: string;
  /** `name=value` for params, or `steps.train.with.epochs=3`. */
  readonly set?: readonly string[];
  readonly paramsFile?: string;
  readonly profile?: string;
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

type Report = (diagnostic: Diagnostic) => void;
type Fields = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A pipeline whose shape is right, before anything in it is computed. */
interface PipelineSpec {
  readonly name: string;
  readonly params?: Fields;
  readonly seed?: number;
  readonly env?: Fields;
  readonly pools?: Readonly<Record<string, number>>;
  readonly profiles?: Readonly<Record<string, { readonly params?: Fields; readonly seed?: number }>>;
  readonly steps: Readonly<Record<string, StepSpec>>;
}

interface StepSpec {
  readonly uses: string;
  readonly with?: Fields;
  readonly inputs?: Readonly<Record<string, string | readonly string[]>>;
  readonly if?: string | boolean;
  readonly matrix?: Fields;
  readonly retry?: {
    readonly attempts?: number;
    readonly delay?: unknown;
    readonly factor?: number;
    readonly max_delay?: unknown;
    readonly jitter?: number;
    readonly on?: readonly (string | number)[];
  };
  readonly timeout?: unknown;
  readonly resources?: Readonly<Record<string, number>>;
  readonly cache?: GraphStep['cache'];
  readonly environment?: Readonly<Record<string, unknown>>;
}

function readSource(options: LoadOptions, report: Report): string | undefined {
  const path = join(options.projectDir, options.file);
  try {
    if (statSync(path).size <= maxFileBytes) return readFileSync(path, 'utf8');
    report({
      code: 'FILE_TOO_LARGE',
      severity: 'error',
      message: `${options.file} is larger than ${maxFileBytes / 1e6} MB.`,
      help: 'Put data into files that steps read.',
    });
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const message = isMissing
      ? `There is no file ${options.file}.`
      : `${options.file} cannot be read: ${error instanceof Error ? error.message : String(error)}.`;
    report({
      code: 'FILE_UNREADABLE',
      severity: 'error',
      message,
      help: 'Check the path, or make a project with `joyul init`.',
    });
  }
  return undefined;
}

/** A command-line value: JSON where it is JSON, else the text itself. */
function parseSetValue(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** What `--set` changes: params by name, and values inside steps by path. */
function parseSets(
  sets: readonly string[],
  spec: PipelineSpec,
  report: Report,
): {
  readonly params: Fields;
  readonly steps: readonly { readonly path: readonly string[]; readonly value: unknown }[];
} {
  const params: Record<string, unknown> = {};
  const steps: { path: readonly string[]; value: unknown }[] = [];
  for (const set of sets) {
    const at = set.indexOf('=');
    const key = at === -1 ? set : set.slice(0, at);
    const value = parseSetValue(set.slice(at + 1));
    const [first, step = '', ...rest] = key.split('.');
    const name = first === 'params' ? key.slice('params.'.length) : key;
    if (at <= 0)
      report({
        code: 'SET_INVALID',
        severity: 'error',
        message: `--set ${set} has no value.`,
        help: 'Write --set name=value.',
      });
    else if (first === 'steps' && spec.steps[step] !== undefined && rest[0] === 'with' && rest.length > 1)
      steps.push({ path: [step, ...rest.slice(1)], value });
    else if (first === 'steps')
      report({
        code: 'SET_INVALID',
        severity: 'error',
        message: `--set ${key} does not name a param of a step.`,
        help: `Write --set steps.STEP.with.PARAM=value; the steps are ${Object.keys(spec.steps).join(', ')}.`,
      });
    else if (spec.params !== undefined && name in spec.params) params[name] = value;
    else {
      const nearest = findNearest(name, Object.keys(spec.params ?? {}));
      const known = Object.keys(spec.params ?? {}).join(', ');
      report({
        code: 'SET_INVALID',
        severity: 'error',
        message: `--set ${key}: the pipeline has no param "${name}".`,
        help:
          nearest === undefined
            ? `Its params are: ${known === '' ? 'none' : known}.`
            : `Did you mean "${nearest}"?`,
      });
    }
  }
  return { params, steps };
}

function setAt(root: Fields, path: readonly string[], value: unknown): Fields {
  const [key = '', ...rest] = path;
  const inner = root[key];
  return { ...root, [key]: rest.length === 0 ? value : setAt(isRecord(inner) ? inner : {}, rest, value) };
}

/** Loads a pipeline; every problem of a phase is told, then it stops. */
export async function loadPipeline(options: LoadOptions): Promise<LoadResult> {
  const diagnostics: Diagnostic[] = [];
  const report: Report = (diagnostic) => void diagnostics.push(diagnostic);
  const failed = (): boolean => diagnostics.some((diagnostic) => diagnostic.severity === 'error');
  const text = readSource(options, report);
  if (text === undefined) return { ok: false, diagnostics };
  const [yaml, ajv] = await Promise.all([import('yaml'), import('ajv')]);
  const parsed = parseDocument(yaml, { file: options.file, text });
  if (parsed.document === undefined) return { ok: false, diagnostics: parsed.diagnostics };
  const { document } = parsed;
  const validator = new SchemaValidator(ajv.Ajv);
  diagnostics.push(
    ...explainSchemaErrors(validator.validate(pipelineSchema, document.value), document, {
      isParam: false,
      owner: 'The pipeline',
    }),
  );
  if (failed()) return { ok: false, diagnostics };
  const spec = document.value as PipelineSpec; // The schema has just been checked.
  const context = await makeContext(spec, options, yaml, report);
  const loader = new StepLoader({ spec, document, options, validator, report, ...context });
  const steps = await loader.load();
  if (failed()) return { ok: false, diagnostics };
  const sorted = linkSteps(steps, report);
  if (failed()) return { ok: false, diagnostics };
  const pools = { cpu: options.cores, memory: options.memoryBytes, ...spec.pools };
  const graph: Graph = {
    name: spec.name,
    projectDir: options.projectDir,
    file: options.file,
    params: context.params as JsonObject, // YAML gives JSON values.
    seed: options.seed ?? context.seed,
    steps: sorted,
    byId: new Map(sorted.map((step) => [step.id, step])),
    pools,
  };
  return { ok: true, graph, diagnostics };
}

async function readParamsFile(
  options: LoadOptions,
  yaml: typeof import('yaml'),
  report: Report,
): Promise<Fields> {
  if (options.paramsFile === undefined) return {};
  try {
    const value: unknown = yaml.parse(readFileSync(join(options.projectDir, options.paramsFile), 'utf8'));
    if (isRecord(value)) return value;
    report({
      code: 'PARAMS_FILE',
      severity: 'error',
      message: `${options.paramsFile} must be a map of params.`,
      help: 'Write one `name: value` a line.',
    });
  } catch (error) {
    report({
      code: 'PARAMS_FILE',
      severity: 'error',
      message: `${options.paramsFile} cannot be read: ${error instanceof Error ? error.message : String(error)}`,
      help: 'Check the path.',
    });
  }
  return Promise.resolve({});
}

/** Params, environment and seed after everything that may change them. */
async function makeContext(
  spec: PipelineSpec,
  options: LoadOptions,
  yaml: typeof import('yaml'),
  report: Report,
): Promise<{ params: Fields; env: Fields; seed: number; sets: ReturnType<typeof parseSets>['steps'] }> {
  const profile = options.profile === undefined ? undefined : spec.profiles?.[options.profile];
  if (options.profile !== undefined && profile === undefined) {
    const nearest = findNearest(options.profile, Object.keys(spec.profiles ?? {}));
    report({
      code: 'PROFILE_UNKNOWN',
      severity: 'error',
      message: `The pipeline has no profile "${options.profile}".`,
      help:
        nearest === undefined
          ? `Its profiles are: ${Object.keys(spec.profiles ?? {}).join(', ') || 'none'}.`
          : `Did you mean "${nearest}"?`,
    });
  }
  const fromFile = await readParamsFile(options, yaml, report);
  const sets = parseSets(options.set ?? [], spec, report);
  const env = Object.fromEntries(
    Object.entries(spec.env ?? {}).map(([key, fallback]) => [key, options.env?.[key] ?? fallback]),
  );
  return {
    params: { ...spec.params, ...profile?.params, ...fromFile, ...sets.params },
    env,
    seed: profile?.seed ?? spec.seed ?? 42,
    sets: sets.steps,
  };
}

/** What making steps needs. */
interface LoaderParts {
  readonly spec: PipelineSpec;
  readonly document: ParsedDocument;
  readonly options: LoadOptions;
  readonly validator: SchemaValidator;
  readonly report: Report;
  readonly params: Fields;
  readonly env: Fields;
  readonly sets: readonly { readonly path: readonly string[]; readonly value: unknown }[];
}

/** Makes steps of their declarations: plugins found, matrices expanded, expressions computed, params checked. */
class StepLoader {
  readonly #parts: LoaderParts;

  constructor(parts: LoaderParts) {
    this.#parts = parts;
  }

  async load(): Promise<readonly UnlinkedStep[]> {
    const steps: UnlinkedStep[] = [];
    for (const [id, spec] of Object.entries(this.#parts.spec.steps)) {
      const plugin = await this.#resolvePlugin(id, spec.uses);
      if (plugin !== undefined) steps.push(...this.#expand(id, spec, plugin));
    }
    return steps;
  }

  async #resolvePlugin(id: string, uses: string): Promise<ResolvedPlugin | undefined> {
    const { options, document, report } = this.#parts;
    const found = await options.catalog.resolve(uses);
    if (!('problem' in found)) return found;
    const nearest = findNearest(uses, options.catalog.knownNames);
    const install = `Install it with \`pnpm add ${uses.includes('/') ? uses : `joyul-step-${uses}`}\`.`;
    const isUnknown = found.problem === 'unknown';
    report({
      code: isUnknown ? 'PLUGIN_UNKNOWN' : 'PLUGIN_INVALID',
      severity: 'error',
      message: found.message,
      range: document.rangeOf(['steps', id, 'uses']),
      help:
        isUnknown && nearest !== undefined
          ? `Did you mean "${nearest}"?`
          : isUnknown
            ? install
            : 'Update the package.',
    });
    return undefined;
  }

  #expand(id: string, spec: StepSpec, plugin: ResolvedPlugin): readonly UnlinkedStep[] {
    const { document, report } = this.#parts;
    if (spec.matrix === undefined) return [this.#make(id, spec, plugin, {})].flatMap((step) => step ?? []);
    const matrix = this.#evaluate(spec.matrix, ['steps', id, 'matrix'], this.#scope({}));
    const instances = isRecord(matrix) ? expandMatrix(matrix) : [];
    if (instances.length === 0) {
      report({
        code: 'MATRIX_EMPTY',
        severity: 'error',
        message: `The matrix of "${id}" has no instance.`,
        range: document.rangeOfKey(['steps', id, 'matrix']),
        help: 'Give it an axis with values, and exclude fewer.',
      });
    }
    return instances.flatMap((values) => this.#make(id, spec, plugin, values) ?? []);
  }

  #scope(matrix: MatrixValues): Scope {
    return { params: this.#parts.params, env: this.#parts.env, matrix };
  }

  #evaluate(value: unknown, path: readonly (string | number)[], scope: Scope): unknown {
    return evaluateValue(value, path, scope, this.#parts.document, this.#parts.report);
  }

  #make(id: string, spec: StepSpec, plugin: ResolvedPlugin, matrix: MatrixValues): UnlinkedStep | undefined {
    const { document } = this.#parts;
    const path = ['steps', id];
    const scope = this.#scope(matrix);
    const params = this.#makeParams(id, spec, plugin, scope);
    if (params === undefined) return undefined;
    const environment = this.#evaluate(spec.environment ?? {}, [...path, 'environment'], scope) as Fields; // A map gives a map.
    const condition =
      typeof spec.if === 'string'
        ? this.#evaluate(spec.if.includes('${{') ? spec.if : `\${{ ${spec.if} }}`, [...path, 'if'], scope)
        : (spec.if ?? true);
    const timeoutMs = parseDuration(spec.timeout);
    const extra = plugin.plugin.outputsFor?.(params) ?? {};
    return {
      id: formatInstanceId(id, matrix),
      group: id,
      plugin,
      params: params as JsonObject, // YAML gives JSON values.
      outputs: { ...plugin.plugin.outputs, ...extra },
      retry: makeRetry(spec.retry),
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      resources: this.#makeResources(spec, plugin),
      cache: spec.cache ?? 'rw',
      environment: Object.fromEntries(
        Object.entries(environment).map(([key, value]) => [key, String(value)]),
      ),
      isEnabled: condition !== false && condition !== '' && condition !== null && condition !== 0,
      range: document.rangeOfKey(path),
      matrix,
      wires: this.#makeWires(id, spec),
      portRange: (port) => document.rangeOfKey([...path, 'inputs', port]),
    };
  }

  #makeParams(id: string, spec: StepSpec, plugin: ResolvedPlugin, scope: Scope): Fields | undefined {
    const { document, validator, report, sets } = this.#parts;
    const path = ['steps', id, 'with'];
    let value = structuredClone(this.#evaluate(spec.with ?? {}, path, scope)) as Fields; // A map gives a map.
    for (const set of sets) if (set.path[0] === id) value = setAt(value, set.path.slice(1), set.value);
    const locator = {
      rangeOf: (inner: readonly string[]): SourceRange =>
        document.rangeOf(spec.with === undefined ? ['steps', id] : [...path, ...inner]),
      rangeOfKey: (inner: readonly string[]): SourceRange =>
        document.rangeOfKey(spec.with === undefined ? ['steps', id] : [...path, ...inner]),
    };
    const schema = { additionalProperties: false, ...(plugin.plugin.params as unknown as object) }; // A TypeBox schema is a JSON Schema.
    const errors = explainSchemaErrors(validator.validate(this.#schemaOf(plugin, schema), value), locator, {
      isParam: true,
      owner: `The step "${id}"`,
    });
    errors.forEach(report);
    if (errors.length > 0) return undefined;
    for (const issue of plugin.plugin.check?.(value) ?? []) {
      report({
        code: 'PARAM_CHECK',
        severity: 'error',
        message: issue.message,
        range: locator.rangeOf(issue.path),
        ...(issue.help === undefined ? {} : { help: issue.help }),
      });
    }
    return value;
  }

  readonly #schemas = new Map<string, object>();

  /** One schema object a plugin, so that it is compiled once. */
  #schemaOf(plugin: ResolvedPlugin, schema: object): object {
    const known = this.#schemas.get(plugin.packageName) ?? schema;
    this.#schemas.set(plugin.packageName, known);
    return known;
  }

  #makeWires(id: string, spec: StepSpec): UnlinkedStep['wires'] {
    const { document } = this.#parts;
    return Object.fromEntries(
      Object.entries(spec.inputs ?? {}).map(([port, value]) => {
        const path = ['steps', id, 'inputs', port];
        const wires =
          typeof value === 'string'
            ? [{ text: value, range: document.rangeOf(path) }]
            : value.map((text, index) => ({ text, range: document.rangeOf([...path, index]) }));
        return [port, wires];
      }),
    );
  }

  /** What a step takes: tensors use every core, so such a step has them all unless it says otherwise. */
  #makeResources(spec: StepSpec, plugin: ResolvedPlugin): Readonly<Record<string, number>> {
    const cpu = plugin.plugin.usesTensors === true ? this.#parts.options.cores : 1;
    return {
      cpu: Math.min(cpu, this.#parts.spec.pools?.['cpu'] ?? this.#parts.options.cores),
      ...spec.resources,
    };
  }
}

function makeRetry(retry: StepSpec['retry']): RetryPolicy {
  return {
    attempts: retry?.attempts ?? 1,
    delayMs: parseDuration(retry?.delay) ?? 1000,
    factor: retry?.factor ?? 2,
    maxDelayMs: parseDuration(retry?.max_delay) ?? 300_000,
    jitter: retry?.jitter ?? 0.1,
    ...(retry?.on === undefined ? {} : { on: retry.on }),
  };
}
