import type { Alias, Node, Pair, ParsedNode, YAMLMap, YAMLSeq } from 'yaml';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { Source, SourceRange } from '../diagnostics/source.ts';
import type { Tree, TreeEntry } from './tree.ts';

/** Values that aliases may add: a few hundred bytes of aliases can otherwise stand for gigabytes. */
const maxAliasedNodes = 100_000;

const wordsLikeTruth: ReadonlySet<string> = new Set(['yes', 'no', 'on', 'off', 'y', 'n']);

/** Turns the nodes of the YAML library into trees, and tells what has no meaning in a pipeline. */
export class TreeBuilder {
  readonly #yaml: typeof import('yaml');
  readonly #source: Source;
  readonly #shift: number;
  readonly #report: (diagnostic: Diagnostic) => void;
  readonly #anchors = new Map<string, Tree>();
  readonly #sizes = new Map<Tree, number>();
  #aliased = 0;

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
    const { tree } = this.#convert(node);
    return tree;
  }

  /** A node's tree and how many values it holds, those behind aliases included. */
  #convert(node: Node | null | undefined): { readonly tree: Tree; readonly size: number } {
    if (node === null || node === undefined) return { tree: this.#empty(this.#range(undefined)), size: 1 };
    if (this.#yaml.isAlias(node)) return this.#alias(node);
    const made = this.#yaml.isMap(node)
      ? this.#map(node)
      : this.#yaml.isSeq(node)
        ? this.#list(node)
        : { tree: this.#scalar(node), size: 1 };
    const anchor = 'anchor' in node ? node.anchor : undefined;
    if (anchor !== undefined) {
      this.#anchors.set(anchor, made.tree);
      this.#sizes.set(made.tree, made.size);
    }
    return made;
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

  #alias(node: Alias): { readonly tree: Tree; readonly size: number } {
    const range = this.#range(node.range);
    const tree = this.#anchors.get(node.source);
    if (tree === undefined) {
      const message = `The alias *${node.source} has no anchor &${node.source} before it.`;
      this.#error('YAML_ALIASES', message, range, `Write &${node.source} before the value that is meant.`);
      return { tree: this.#empty(range), size: 1 };
    }
    const size = this.#sizes.get(tree) ?? 1;
    const before = this.#aliased;
    this.#aliased += size;
    if (this.#aliased <= maxAliasedNodes) return { tree, size };
    if (before <= maxAliasedNodes)
      this.#error(
        'YAML_ALIASES',
        `The aliases up to this one stand for more than ${maxAliasedNodes} values.`,
        range,
        'Write the values out, or use params.',
      );
    return { tree: this.#empty(range), size: 1 };
  }

  #scalar(node: Node): Tree {
    const range = this.#range(node.range);
    if (!this.#yaml.isScalar(node)) throw new Error('Internal error: a YAML node of an unknown kind.');
    const { value } = node;
    if (node.tag !== undefined && !node.tag.startsWith('tag:yaml.org,2002:')) {
      this.#error(
        'YAML_VALUE',
        `The tag ${node.tag} has no meaning in a pipeline.`,
        range,
        'Remove the tag.',
      );
      return this.#empty(range);
    }
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

  #list(node: YAMLSeq): { readonly tree: Tree; readonly size: number } {
    let size = 1;
    const items = node.items.map((item) => {
      // A pair in a list, `[a: 1]`, is a map of one key.
      const made = this.#yaml.isPair(item) ? this.#pairAsMap(item) : this.#convert(item as Node | null);
      size += made.size;
      return made.tree;
    });
    return { tree: { kind: 'list', range: this.#range(node.range), items }, size };
  }

  #pairAsMap(pair: Pair): { readonly tree: Tree; readonly size: number } {
    const map = new this.#yaml.YAMLMap();
    map.items.push(pair);
    const key = this.#yaml.isNode(pair.key) ? pair.key.range : undefined;
    if (key !== undefined && key !== null) map.range = key;
    return this.#map(map);
  }

  #map(node: YAMLMap): { readonly tree: Tree; readonly size: number } {
    const range = this.#range(node.range);
    if (this.#isBareExpression(range)) {
      const written = this.#source.text.slice(range.start, range.end).trim();
      this.#error(
        'YAML_EXPRESSION',
        `Without quotes and a dollar sign, ${written} is a map and not an expression.`,
        range,
        `Write "$${written}".`,
      );
      return { tree: this.#empty(range), size: 1 };
    }
    const entries = new Map<string, TreeEntry>();
    const merged = new Map<string, TreeEntry>();
    let size = 1;
    for (const pair of node.items) {
      const key = this.#key(pair);
      if (key === undefined) continue;
      const made = this.#convert(pair.value as Node | null); // A parsed document's values are nodes.
      size += made.size;
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
    return { tree: { kind: 'map', range, entries }, size };
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
