import { posix } from 'node:path';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { SourceRange } from '../diagnostics/source.ts';
import { findNearest } from '../util/suggest.ts';
import { isDeclaration } from './param-declaration.ts';
import type { MapTree, ScalarTree, Tree, TreeEntry } from './tree.ts';
import { entryOf, mergeTrees, withEntries, withoutKeys } from './tree.ts';

type Report = (diagnostic: Diagnostic) => void;

/** A path that stands in a file, from the project's folder; it is relative to the file that it stands in. */
export const resolveFile = (from: string, path: string): string =>
  posix.isAbsolute(path) ? path : posix.normalize(posix.join(posix.dirname(from), path));

/** Reads another pipeline file, relative to the project; tells what is wrong and gives undefined then. */
export type ReadTree = (file: string, from: SourceRange) => MapTree | undefined;

/** Puts a pipeline over its base: params keep their declarations, and a step that is set to nothing is removed. */
export function mergePipelines(base: MapTree, over: MapTree): MapTree {
  const merged = mergeTrees(base, over);
  if (merged.kind !== 'map') return over;
  const entries: (readonly [string, TreeEntry])[] = [];
  const params = entryOf(merged, 'params');
  if (params?.value.kind === 'map') {
    const kept = [...params.value.entries].map(([name, entry]): readonly [string, TreeEntry] => {
      const declared = entryOf(entryOf(base, 'params')?.value, name);
      const given = entryOf(entryOf(over, 'params')?.value, name);
      if (declared === undefined || given === undefined || !isDeclaration(declared.value))
        return [name, entry];
      if (declared.value.kind !== 'map' || isDeclaration(given.value)) return [name, entry];
      return [name, { ...declared, value: withEntries(declared.value, [['default', given]]) }];
    });
    entries.push(['params', { ...params, value: { ...params.value, entries: new Map(kept) } }]);
  }
  const steps = entryOf(merged, 'steps');
  const below = entryOf(base, 'steps')?.value;
  if (steps?.value.kind === 'map') {
    const removed = [...steps.value.entries]
      .filter(([name, { value }]) => isEmpty(value) && entryOf(below, name) !== undefined)
      .map(([name]) => name);
    if (removed.length > 0) entries.push(['steps', { ...steps, value: withoutKeys(steps.value, removed) }]);
  }
  return withEntries(merged, entries);
}

const isEmpty = (tree: Tree): boolean => tree.kind === 'scalar' && tree.value === null;

const textsOf = (tree: Tree | undefined): readonly (ScalarTree & { readonly value: string })[] =>
  (tree?.kind === 'list' ? tree.items : tree === undefined ? [] : [tree]).filter(
    (item): item is ScalarTree & { readonly value: string } =>
      item.kind === 'scalar' && typeof item.value === 'string' && item.value !== '',
  );

interface Link {
  readonly file: string;
  readonly range: SourceRange;
}

/** Puts a file together with what it `extends` and `include`s, and those files with theirs. */
export class Composer {
  readonly #read: ReadTree;
  readonly #report: Report;

  constructor(read: ReadTree, report: Report) {
    this.#read = read;
    this.#report = report;
  }

  /** `chain` are the links that led to this file, to find files that include each other. */
  compose(file: string, root: MapTree, chain: readonly Link[] = []): MapTree {
    let result = root;
    const [base] = textsOf(entryOf(root, 'extends')?.value);
    if (base !== undefined) {
      const tree = this.#follow(file, base, chain);
      if (tree !== undefined) result = mergePipelines(withoutKeys(tree, ['extends', 'include']), root);
    }
    const includes = entryOf(root, 'include')?.value;
    // Anything but a list of texts is told by the schema.
    for (const item of includes?.kind === 'list' ? textsOf(includes) : []) {
      const tree = this.#follow(file, item, chain);
      if (tree !== undefined) result = this.#include(result, tree);
    }
    return result;
  }

  #follow(
    file: string,
    to: ScalarTree & { readonly value: string },
    chain: readonly Link[],
  ): MapTree | undefined {
    const target = resolveFile(file, to.value);
    const link = { file, range: to.range };
    const links = [...chain, link];
    const first = links.findIndex((known) => known.file === target);
    if (first !== -1) {
      this.#report({
        code: 'INCLUDE_CYCLE',
        severity: 'error',
        message: `${target} includes itself: ${[...links.slice(first).map((known) => known.file), target].join(' → ')}.`,
        range: to.range,
        notes: links.slice(first, -1).map((known) => ({
          message: `${known.file} names the next file here.`,
          range: known.range,
        })),
        help: 'Remove one of the links.',
      });
      return undefined;
    }
    const tree = this.#read(target, to.range);
    return tree === undefined ? undefined : this.compose(target, tree, links);
  }

  /** Adds the params and steps of an included file; nothing is replaced. */
  #include(root: MapTree, included: MapTree): MapTree {
    const known = ['params', 'steps', 'include', 'extends'];
    for (const [key, { keyRange }] of included.entries) {
      if (known.includes(key)) continue;
      const nearest = findNearest(key, known);
      this.#report({
        code: 'UNKNOWN_KEY',
        severity: 'error',
        message: `An included file has only params and steps, and no key "${key}".`,
        range: keyRange,
        help:
          nearest === undefined ? 'Move it to the pipeline, or use `extends`.' : `Did you mean "${nearest}"?`,
      });
    }
    return ['params', 'steps'].reduce((tree, key) => this.#includeSection(tree, included, key), root);
  }

  #includeSection(root: MapTree, included: MapTree, key: string): MapTree {
    const section = entryOf(included, key);
    if (section === undefined) return root;
    const own = entryOf(root, key);
    if (own === undefined) return withEntries(root, [[key, section]]);
    if (own.value.kind !== 'map' || section.value.kind !== 'map') return root;
    for (const [name, entry] of section.value.entries) {
      const first = own.value.entries.get(name);
      if (first === undefined) continue;
      this.#report({
        code: 'INCLUDE_CONFLICT',
        severity: 'error',
        message: `The included ${key === 'steps' ? 'step' : 'param'} "${name}" exists already.`,
        range: entry.keyRange,
        notes: [{ message: `"${name}" stands here too.`, range: first.keyRange }],
        help: 'Rename one of them, or use `extends`, where the extending file wins.',
      });
    }
    return withEntries(root, [[key, { ...own, value: withEntries(own.value, section.value.entries) }]]);
  }
}

/** Gives every step what `defaults` has and the step has not. */
export function applyDefaults(root: MapTree): MapTree {
  const defaults = entryOf(root, 'defaults')?.value;
  const steps = entryOf(root, 'steps');
  if (defaults?.kind !== 'map' || steps?.value.kind !== 'map') return root;
  const filled = [...steps.value.entries].map(([name, entry]): readonly [string, TreeEntry] =>
    entry.value.kind === 'map' ? [name, { ...entry, value: underlay(defaults, entry.value) }] : [name, entry],
  );
  return withEntries(root, [['steps', { ...steps, value: withEntries(steps.value, filled) }]]);
}

/** The step's own keys come first and its own place stays, so that messages show the step. */
function underlay(defaults: MapTree, step: MapTree): MapTree {
  const added = [...defaults.entries].map(([key, entry]): readonly [string, TreeEntry] => {
    const own = step.entries.get(key);
    return [key, own === undefined ? entry : { ...own, value: mergeTrees(entry.value, own.value) }];
  });
  return withEntries(step, added);
}

/** Puts a profile over the pipeline; undefined, and told, where there is no such profile. */
export function applyProfile(root: MapTree, profile: string, report: Report): MapTree | undefined {
  const profiles = entryOf(root, 'profiles')?.value;
  const found = entryOf(profiles, profile)?.value;
  if (found?.kind === 'map') return mergePipelines(root, found);
  const names = profiles?.kind === 'map' ? [...profiles.entries.keys()] : [];
  const nearest = findNearest(profile, names);
  report({
    code: 'PROFILE_UNKNOWN',
    severity: 'error',
    message: `The pipeline has no profile "${profile}".`,
    help:
      nearest === undefined
        ? `Its profiles are: ${names.length === 0 ? 'none' : names.join(', ')}.`
        : `Did you mean "${nearest}"?`,
  });
  return undefined;
}
