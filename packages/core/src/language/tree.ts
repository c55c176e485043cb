import type { SourceRange } from '../diagnostics/source.ts';

/** A YAML value that knows where it stands; trees of several files can be put together. */
export type Tree = ScalarTree | ListTree | MapTree;

/** A text, number, truth value or nothing. */
export interface ScalarTree {
  readonly kind: 'scalar';
  readonly range: SourceRange;
  readonly value: string | number | boolean | null;
  /** True without quotes, where `yes` and `{{` mean something else than people think. */
  readonly isPlain: boolean;
  /** A number as it is typed, where that is another text than the number's own: `1e-4`. */
  readonly typed?: string;
}

/** A list. */
export interface ListTree {
  readonly kind: 'list';
  readonly range: SourceRange;
  readonly items: readonly Tree[];
}

/** A key of a map and its value. */
export interface TreeEntry {
  readonly keyRange: SourceRange;
  readonly value: Tree;
}

/** A map; keys are texts, in the order written. */
export interface MapTree {
  readonly kind: 'map';
  readonly range: SourceRange;
  readonly entries: ReadonlyMap<string, TreeEntry>;
}

/** Keys and indexes that lead to a value. */
export type TreePath = readonly (string | number)[];

/** The plain value of a tree. */
export function toValue(tree: Tree): unknown {
  if (tree.kind === 'scalar') return tree.value;
  if (tree.kind === 'list') return tree.items.map(toValue);
  return Object.fromEntries([...tree.entries].map(([key, entry]) => [key, toValue(entry.value)]));
}

/** The entry under a key, where the tree is a map and has it. */
export const entryOf = (tree: Tree | undefined, key: string): TreeEntry | undefined =>
  tree?.kind === 'map' ? tree.entries.get(key) : undefined;

/** The deepest entry or item on a path that exists. */
export function findTree(
  root: Tree,
  path: TreePath,
): { readonly tree: Tree; readonly keyRange?: SourceRange; readonly isWhole: boolean } {
  let tree = root;
  let keyRange: SourceRange | undefined;
  const found = (isWhole: boolean): ReturnType<typeof findTree> => ({
    tree,
    ...(keyRange === undefined ? {} : { keyRange }),
    isWhole,
  });
  for (const key of path) {
    if (tree.kind === 'list') {
      const item = tree.items[Number(key)];
      if (item === undefined) return found(false);
      tree = item;
    } else {
      const entry = entryOf(tree, String(key));
      if (entry === undefined) return found(false);
      tree = entry.value;
      keyRange = entry.keyRange;
    }
  }
  return found(true);
}

/** A map with some entries replaced or added. */
export const withEntries = (map: MapTree, entries: Iterable<readonly [string, TreeEntry]>): MapTree => ({
  ...map,
  entries: new Map([...map.entries, ...entries]),
});

/** A map without some keys. */
export const withoutKeys = (map: MapTree, keys: readonly string[]): MapTree => ({
  ...map,
  entries: new Map([...map.entries].filter(([key]) => !keys.includes(key))),
});

/** Puts a tree over another: maps are merged key by key, anything else is replaced. */
export function mergeTrees(base: Tree, over: Tree): Tree {
  if (base.kind !== 'map' || over.kind !== 'map') return over;
  const merged = [...over.entries].map(([key, entry]): readonly [string, TreeEntry] => {
    const below = base.entries.get(key);
    return [key, below === undefined ? entry : { ...entry, value: mergeTrees(below.value, entry.value) }];
  });
  return withEntries({ ...base, range: over.range }, merged);
}
