/** A step that uses a pipeline file: its params, its settings, and the steps inside. */
import { applyDefaults } from './compose.ts';
import type { ParsedDocument } from './document.ts';
import { locateIn, makeDocument } from './document.ts';
import { evaluateValue } from './evaluate-value.ts';
import type { Scope } from './expression.ts';
import type { ParamOverride, ParamParts } from './params.ts';
import { resolveParams, suggest } from './params.ts';
import type { PipelineFile } from './pipeline-files.ts';
import { evaluateWith } from './step-params.ts';
import type { SharedParts, StepSite } from './step-site.ts';
import type { MapTree, Tree, TreeEntry } from './tree.ts';
import { entryOf, findTree, mergeTrees, withEntries } from './tree.ts';

/** What the steps inside have unless they say otherwise. */
const passedOn = ['retry', 'timeout', 'resources', 'cache', 'environment'] as const;

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What expressions of a pipeline file may name. */
export function makeScope(
  { spec, document }: Pick<PipelineFile, 'spec' | 'document'>,
  overrides: ReadonlyMap<string, ParamOverride>,
  shared: Pick<SharedParts, 'env' | 'run' | 'report'>,
  more: Pick<ParamParts, 'user' | 'isOpen'> = {},
): Scope & { readonly params: Readonly<Record<string, unknown>> } {
  const declared = Array.isArray(spec.env)
    ? spec.env.map((name: string) => [name, null] as const)
    : Object.entries(spec.env ?? {});
  const scope = {
    env: Object.fromEntries(declared.map(([name, fallback]) => [name, shared.env[name] ?? fallback])),
    secrets: Object.fromEntries((spec.secrets ?? []).map((name) => [name, { $secret: name }])),
    run: shared.run,
  };
  const params = resolveParams({ document, overrides, scope, report: shared.report, ...more });
  return { params, ...scope };
}

/** What a step that uses a pipeline gives to the steps inside. */
export interface PipelineUse {
  readonly document: ParsedDocument;
  readonly scope: Scope;
}

/** Reads one instance of a step that uses a pipeline; undefined, and told, where its params are wrong. */
export function readUse(used: PipelineFile, site: StepSite): PipelineUse | undefined {
  const { pipeline, path, spec, range } = site;
  const { shared, document } = pipeline;
  if (spec.gates !== undefined)
    shared.report({
      code: 'UNKNOWN_KEY',
      severity: 'error',
      message: `The step "${site.name}" uses a pipeline, and has no gates of its own.`,
      range: document.rangeOfKey([...path, 'gates']),
      help: `Write \`gates\` in a step of ${used.file}.`,
    });
  const values = evaluateWith(site);
  if (values === undefined) return undefined;
  const names = Object.keys(used.spec.params ?? {});
  const overrides = new Map<string, ParamOverride>();
  for (const [name, value] of Object.entries(values)) {
    const isWritten = Object.hasOwn(spec.with ?? {}, name);
    const at = [...path, 'with', name];
    if (names.includes(name))
      overrides.set(name, { value, ...(isWritten ? { locator: locateIn(document, at) } : {}) });
    else
      shared.report({
        code: 'PARAM_UNKNOWN',
        severity: 'error',
        message: `The pipeline ${used.file} has no param "${name}".`,
        ...(isWritten ? { range: document.rangeOfKey(at) } : {}),
        help: suggest(name, names, 'Its params are'),
      });
  }
  const defaults = readDefaults(site);
  return {
    document: defaults === undefined ? used.document : makeDocument(underlayDefaults(used.tree, defaults)),
    scope: makeScope(used, overrides, shared, { user: { file: used.file, range } }),
  };
}

/** What a step inside says of itself comes first, then what its user says, then the file's own defaults. */
function underlayDefaults(file: MapTree, given: MapTree): MapTree {
  const own = entryOf(file, 'defaults');
  const value = own === undefined ? given : mergeTrees(own.value, given);
  const keyRange = own?.keyRange ?? given.range;
  return applyDefaults(withEntries(file, [['defaults', { keyRange, value }]]));
}

/** The settings of a step that uses a pipeline, computed with what its own file knows. */
function readDefaults({ pipeline, spec, path, scope, range }: StepSite): MapTree | undefined {
  const { document, shared } = pipeline;
  const entries = passedOn.flatMap((key): readonly (readonly [string, TreeEntry])[] => {
    if (spec[key] === undefined) return [];
    const at = [...path, key];
    const value = evaluateValue(spec[key], at, { scope, document, report: shared.report });
    const { tree, keyRange = range } = findTree(document.tree, at);
    return value === undefined ? [] : [[key, { keyRange, value: fillTree(tree, value) }]];
  });
  return entries.length === 0 ? undefined : { kind: 'map', range, entries: new Map(entries) };
}

/** A tree with computed values in the places of the written ones. */
function fillTree(tree: Tree, value: unknown): Tree {
  const { range } = tree;
  if (Array.isArray(value)) {
    const items = tree.kind === 'list' ? tree.items : [];
    return { kind: 'list', range, items: value.map((item, index) => fillTree(items[index] ?? tree, item)) };
  }
  if (isRecord(value)) {
    const entries = Object.entries(value).map(([key, item]): readonly [string, TreeEntry] => {
      const { keyRange, value: written } = entryOf(tree, key) ?? { keyRange: range, value: tree };
      return [key, { keyRange, value: fillTree(written, item) }];
    });
    return { kind: 'map', range, entries: new Map(entries) };
  }
  // What has been computed is no expression any more.
  const plain = typeof value === 'string' ? value.replaceAll('${{', '\\${{') : value;
  return { kind: 'scalar', range, value: plain as string | number | boolean | null, isPlain: false }; // All that is left of JSON.
}
