import type { Document, Node, Pair, Scalar, YAMLMap, YAMLSeq } from 'yaml';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { Source, SourceRange } from '../diagnostics/source.ts';

/** A parsed YAML text: plain values, and where each of them stands. */
export interface ParsedDocument {
  readonly source: Source;
  readonly value: unknown;
  /** The place of the value under a path of keys; of the nearest parent where it is absent. */
  rangeOf(path: readonly (string | number)[]): SourceRange;
  /** The place of a key. */
  rangeOfKey(path: readonly (string | number)[]): SourceRange;
}

/** Larger files are refused: no person wrote them, and an editor would not open them. */
export const maxFileBytes = 32_000_000;
const maxAliases = 1000;

type YamlModule = typeof import('yaml');

function toRange(source: Source, range: readonly [number, number, number] | null | undefined): SourceRange {
  return range === null || range === undefined
    ? { source, start: 0, end: 0 }
    : { source, start: range[0], end: Math.max(range[1], range[0] + 1) };
}

/** Walks to a node; gives the last pair and node that exist on the way. */
function walk(
  yaml: YamlModule,
  root: Node | null,
  path: readonly (string | number)[],
): { readonly node: Node | null; readonly pair?: Pair; readonly isWhole: boolean } {
  let node: Node | null = root;
  let pair: Pair | undefined;
  for (const key of path) {
    if (yaml.isMap(node)) {
      const found = (node as YAMLMap).items.find(
        (item) => String(yaml.isScalar(item.key) ? (item.key as Scalar).value : item.key) === String(key),
      );
      if (found === undefined) return { node, ...(pair === undefined ? {} : { pair }), isWhole: false };
      pair = found;
      node = yaml.isNode(found.value) ? found.value : null;
    } else if (yaml.isSeq(node)) {
      const item = (node as YAMLSeq).items[Number(key)];
      if (!yaml.isNode(item)) return { node, ...(pair === undefined ? {} : { pair }), isWhole: false };
      node = item;
    } else return { node, ...(pair === undefined ? {} : { pair }), isWhole: false };
  }
  return { node, ...(pair === undefined ? {} : { pair }), isWhole: true };
}

/** Parses a YAML text; every syntax error is told. */
export function parseDocument(
  yaml: YamlModule,
  source: Source,
): { readonly document?: ParsedDocument; readonly diagnostics: readonly Diagnostic[] } {
  // A byte order mark is no part of the text; offsets are moved by it below.
  const text = source.text.replace(/^\uFEFF/, '');
  const parsed: Document.Parsed = yaml.parseDocument(text, {
    merge: true,
    uniqueKeys: true,
    prettyErrors: false,
    logLevel: 'silent',
  });
  const shift = source.text.startsWith('\uFEFF') ? 1 : 0;
  const diagnostics = parsed.errors.map((error): Diagnostic => {
    const isTab = error.code === 'TAB_AS_INDENT';
    const isDuplicate = error.code === 'DUPLICATE_KEY';
    const range = {
      source,
      start: error.pos[0] + shift,
      end: Math.max(error.pos[1], error.pos[0] + 1) + shift,
    };
    const message = isTab
      ? 'Lines are indented with tabs, which YAML does not allow.'
      : isDuplicate
        ? 'This key stands twice in one place; only one of them could count.'
        : `${error.message.split('\n')[0] ?? ''}${error.message.endsWith('.') ? '' : '.'}`;
    const help = isTab
      ? 'Indent with spaces.'
      : isDuplicate
        ? 'Remove one of them, or rename it.'
        : undefined;
    return {
      code: 'YAML_SYNTAX',
      severity: 'error',
      message,
      range,
      ...(help === undefined ? {} : { help }),
    };
  });
  if (diagnostics.length > 0) return { diagnostics };
  let value: unknown;
  try {
    value = parsed.toJS({ maxAliasCount: maxAliases });
  } catch (error) {
    const message = `The file's aliases cannot be expanded: ${error instanceof Error ? error.message : String(error)}.`;
    return {
      diagnostics: [
        {
          code: 'YAML_ALIASES',
          severity: 'error',
          message,
          range: { source, start: 0, end: 1 },
          help: `Use at most ${maxAliases} aliases.`,
        },
      ],
    };
  }
  const moved = (range: SourceRange): SourceRange => ({
    source,
    start: range.start + shift,
    end: range.end + shift,
  });
  return {
    diagnostics: [],
    document: {
      source,
      value,
      rangeOf: (path) => {
        const { node, pair } = walk(yaml, parsed.contents, path);
        const key = pair !== undefined && yaml.isNode(pair.key) ? pair.key : undefined;
        return moved(toRange(source, node?.range ?? key?.range));
      },
      rangeOfKey: (path) => {
        const { pair, node, isWhole } = walk(yaml, parsed.contents, path);
        const key = pair !== undefined && isWhole && yaml.isNode(pair.key) ? pair.key : undefined;
        return moved(toRange(source, key?.range ?? node?.range));
      },
    },
  };
}
