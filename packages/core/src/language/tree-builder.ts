import type { Alias, Node, Pair, ParsedNode, YAMLMap, YAMLSeq } from 'yaml';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { Source, SourceRange } from '../diagnostics/source.ts';
import type { Tree, TreeEntry } from './tree.ts';

/** Values that aliases may add: a few hundred bytes of aliases can otherwise stand for gigabytes. */
const maxAliasedNodes = 100_000;

/** Nested deeper than this, a value would end the stack of whatever walks it. */
export const maxDepth = 100;

/** What is told of a value that is nested deeper than any pipeline needs. */
export const explainDepth = (range: SourceRange): Diagnostic => ({
  code: 'YAML_DEPTH',
  severity: 'error',
  message: `Lists and maps are nested more than ${maxDepth} deep here.`,
  range,
  help: 'Look for a bracket that is never closed, or write the value in fewer levels.',
});

/** Tags that say what plain YAML would have read anyway. */
const knownTags: ReadonlySet<string> = new Set(
  ['str', 'int', 'float', 'bool', 'null', 'map', 'seq'].map((name) => `tag:yaml.org,2002:${name}`),
);

/** A tree, how many values it holds and how deep they are, those behind aliases included. */
interface Made {
  readonly tree: Tree;
  readonly size: number;
  readonly height: number;
}

const wordsLikeTruth: ReadonlySet<string> = new Set(['yes', 'no', 'on', 'off', 'y', 'n']);

/** Turns the nodes of the YAML library into trees, and tells what has no meaning in a pipeline. */
export class TreeBuilder {
  readonly #yaml: typeof import('yaml');
  readonly #source: Source;
  readonly #shift: number;
  readonly #report: (diagnostic: Diagnostic) => void;
  readonly #anchors = new Map<string, Made>();
  #aliased = 0;
  #depth = 0;
  #isTooDeep = false;

  constructor(
    yaml: typeof import('yaml'),
    source: Source,
    shift: number,
    report: (diagnostic: Diagnostic) => void,
  ) {
    this.#yaml = yaml;
    this.#source = source;
    this.#shift = shift;
    this.#report = report;
  }

  build(node: Node | ParsedNode): Tree {
    return this.#convert(node).tree;
  }

  #convert(node: Node | null | undefined): Made {
    if (node === null || node === undefined) return this.#nothing(this.#range(undefined));
    if (this.#yaml.isAlias(node)) return this.#alias(node);
    const made = this.#checkTag(node) ? this.#nothing(this.#range(node.range)) : this.#collection(node);
    const anchor = 'anchor' in node ? node.anchor : undefined;
    if (anchor !== undefined) this.#anchors.set(anchor, made);
    return made;
  }

  #collection(node: Node): Made {
    const isMap = this.#yaml.isMap(node);
    if (!isMap && !this.#yaml.isSeq(node)) return { tree: this.#scalar(node), size: 1, height: 0 };
    this.#depth++;
    const made =
      this.#depth > maxDepth ? this.#refuseDepth(node.range) : isMap ? this.#map(node) : this.#list(node);
    this.#depth--;
    return made;
  }

  /** Told once: what is inside has the same mistake. */
  #refuseDepth(range: readonly [number, number, number] | null | undefined): Made {
    const place = this.#range(range);
    if (!this.#isTooDeep) this.#report(explainDepth({ ...place, end: place.start + 1 }));
    this.#isTooDeep = true;
    return this.#nothing(place);
  }

  /** True, and told, for a tag that means nothing here. */
  #checkTag(node: Node): boolean {
    const tag = 'tag' in node ? node.tag : undefined;
    if (tag === undefined || knownTags.has(tag)) return false;
    const shown = tag.replace('tag:yaml.org,2002:', '!!');
    this.#error(
      'YAML_VALUE',
      `The tag ${shown} has no meaning in a pipeline.`,
      this.#range(node.range),
      'Remove the tag.',
    );
    return true;
  }

  #range(range: readonly [number, number, number] | null | undefined): SourceRange {
    if (range === null || range === undefined) return { source: this.#source, start: 0, end: 1 };
    const start = range[0] + this.#shift;
    return { source: this.#source, start, end: Math.max(range[1] + this.#shift, start + 1) };
  }

  #empty(range: SourceRange): Tree {
    return { kind: 'scalar', range, value: null, isPlain: true };
  }

  #error(code: Diagnostic['code'], message: string, range: SourceRange, help: string): void {
    this.#report({ code, severity: 'error', message, range, help });
  }

  #nothing(range: SourceRange): Made {
    return { tree: this.#empty(range), size: 1, height: 0 };
  }

  #alias(node: Alias): Made {
    const range = this.#range(node.range);
    const made = this.#anchors.get(node.source);
    if (made === undefined) {
      const message = `The alias *${node.source} has no anchor &${node.source} before it.`;
      this.#error('YAML_ALIASES', message, range, `Write &${node.source} before the value that is meant.`);
      return this.#nothing(range);
    }
    if (this.#depth + made.height > maxDepth) return this.#refuseDepth(node.range);
    const before = this.#aliased;
    this.#aliased += made.size;
    if (this.#aliased <= maxAliasedNodes) return made;
    if (before <= maxAliasedNodes)
      this.#error(
        'YAML_ALIASES',
        `The aliases up to this one stand for more than ${maxAliasedNodes} values.`,
        range,
        'Write the values out, or use params.',
      );
    return this.#nothing(range);
  }

  #scalar(node: Node): Tree {
    const range = this.#range(node.range);
    if (!this.#yaml.isScalar(node)) throw new Error('Internal error: a YAML node of an unknown kind.');
    const { value } = node;
    if (typeof value === 'string' || typeof value === 'boolean' || value === null)
      return { kind: 'scalar', range, value, isPlain: node.type === 'PLAIN' };
    if (typeof value === 'number' && Number.isFinite(value)) return this.#number(node.source, value, range);
    this.#error(
      'YAML_VALUE',
      `${this.#source.text.slice(range.start, range.end)} has no meaning in a pipeline.`,
      range,
      'Write a finite number, or put the text in quotes.',
    );
    return this.#empty(range);
  }

  #number(typed: string | undefined, value: number, range: SourceRange): Tree {
    if (Number.isInteger(value) && !Number.isSafeInteger(value) && /^[-+]?\d+$/.test(typed ?? ''))
      this.#error(
        'YAML_VALUE',
        `The number ${typed ?? ''} has more digits than can be kept; it would become ${value}.`,
        range,
        'Put it in quotes where it is a name, or write fewer digits.',
      );
    const isOther = typed !== undefined && typed !== String(value);
    return { kind: 'scalar', range, value, isPlain: true, ...(isOther ? { typed } : {}) };
  }

  #list(node: YAMLSeq): Made {
    let [size, height] = [1, 0];
    const items = node.items.map((item) => {
      // A pair in a list, `[a: 1]`, is a map of one key.
      const made = this.#yaml.isPair(item) ? this.#pairAsMap(item) : this.#convert(item as Node | null);
      size += made.size;
      height = Math.max(height, made.height);
      return made.tree;
    });
    return { tree: { kind: 'list', range: this.#range(node.range), items }, size, height: height + 1 };
  }

  #pairAsMap(pair: Pair): Made {
    const map = new this.#yaml.YAMLMap();
    map.items.push(pair);
    const key = this.#yaml.isNode(pair.key) ? pair.key.range : undefined;
    if (key !== undefined && key !== null) map.range = key;
    return this.#map(map);
  }

  #map(node: YAMLMap): Made {
    const range = this.#range(node.range);
    if (this.#isBareExpression(range)) {
      const written = this.#source.text.slice(range.start, range.end).trim();
      this.#error(
        'YAML_EXPRESSION',
        `Without quotes and a dollar sign, ${written} is a map and not an expression.`,
        range,
        `Write "$${written}".`,
      );
      return this.#nothing(range);
    }
    const entries = new Map<string, TreeEntry>();
    const merged = new Map<string, TreeEntry>();
    let [size, height] = [1, 0];
    for (const pair of node.items) {
      const key = this.#key(pair);
      if (key === undefined) continue;
      const made = this.#convert(pair.value as Node | null); // A parsed document's values are nodes.
      size += made.size;
      height = Math.max(height, made.height);
      if (key.isMerge) {
        this.#mergeInto(merged, made.tree);
        continue;
      }
      const first = entries.get(key.name);
      if (first === undefined) {
        // An absent value has no place of its own: its key stands for it.
        const value = pair.value === null ? this.#empty(key.range) : made.tree;
        entries.set(key.name, { keyRange: key.range, value });
      } else
        this.#report({
          code: 'YAML_DUPLICATE_KEY',
          severity: 'error',
          message: `The key "${key.name}" stands twice in one map; only one of them could count.`,
          range: key.range,
          notes: [{ message: `"${key.name}" stands first here.`, range: first.keyRange }],
          help: 'Remove one of them, or rename it.',
        });
    }
    for (const [name, entry] of merged) if (!entries.has(name)) entries.set(name, entry);
    return { tree: { kind: 'map', range, entries }, size, height: height + 1 };
  }

  #key(
    pair: Pair,
  ): { readonly name: string; readonly range: SourceRange; readonly isMerge: boolean } | undefined {
    const node = pair.key;
    const scalar = this.#yaml.isScalar(node) ? node : undefined;
    const value = scalar?.value;
    const range = this.#range(this.#yaml.isNode(node) ? node.range : undefined);
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') {
      // What was written, so that `1.0` and `0x10` stay as they are.
      const name = typeof value === 'string' ? value : (scalar?.source ?? String(value));
      return { name, range, isMerge: name === '<<' && scalar?.type === 'PLAIN' };
    }
    this.#error(
      'YAML_KEY',
      'A key must be a name, but is a list, a map or empty.',
      range,
      'Write `name: value`.',
    );
    return undefined;
  }

  /** `<<: *defaults` gives what the map itself does not have; earlier maps of a list win. */
  #mergeInto(merged: Map<string, TreeEntry>, tree: Tree): void {
    const maps = tree.kind === 'list' ? tree.items : [tree];
    for (const map of maps) {
      if (map.kind !== 'map') {
        this.#error('YAML_VALUE', '`<<` takes a map or a list of maps.', map.range, 'Write `<<: *name`.');
        continue;
      }
      for (const [name, entry] of map.entries) if (!merged.has(name)) merged.set(name, entry);
    }
  }

  /** `{{ params.x }}` without quotes is a map whose key is a map. */
  #isBareExpression(range: SourceRange): boolean {
    return /^\{\s*\{/.test(this.#source.text.slice(range.start, range.start + 20));
  }
}

/** True for an unquoted yes, no, on or off: older YAML reads a truth value there. */
export const isWordLikeTruth = (tree: Tree): boolean =>
  tree.kind === 'scalar' &&
  tree.isPlain &&
  typeof tree.value === 'string' &&
  wordsLikeTruth.has(tree.value.toLowerCase());
