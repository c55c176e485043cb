import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { Source, SourceRange } from '../diagnostics/source.ts';
import type { Tree, TreePath } from './tree.ts';
import { findTree, toValue } from './tree.ts';
import { TreeBuilder, explainDepth } from './tree-builder.ts';

/** A parsed YAML text: plain values, and where each of them stands. */
export interface ParsedDocument {
  readonly tree: Tree;
  readonly value: unknown;
  /** The place of the value under a path of keys; of the nearest parent where it is absent. */
  rangeOf(path: TreePath): SourceRange;
  /** The place of a key. */
  rangeOfKey(path: TreePath): SourceRange;
}

/** Larger files are refused: no person wrote them, and an editor would not open them. */
export const maxFileBytes = 10_000_000;

type YamlModule = typeof import('yaml');
type YamlError = import('yaml').YAMLParseError;

/** Gives values and places of a tree. */
export function makeDocument(tree: Tree): ParsedDocument {
  return {
    tree,
    value: toValue(tree),
    rangeOf(path) {
      const found = findTree(tree, path);
      // A map's own range is all of its lines: its key says more, unless the map stands on one line.
      const isLong = found.tree.kind !== 'scalar' && isSeveralLines(found.tree.range);
      return (isLong || !found.isWhole) && found.keyRange !== undefined
        ? found.keyRange
        : isLong
          ? firstLine(found.tree)
          : found.tree.range;
    },
    rangeOfKey(path) {
      const found = findTree(tree, path);
      return found.keyRange ?? firstLine(found.tree);
    },
  };
}

/** Finds places below a value. */
export const locateIn = (
  document: ParsedDocument,
  path: TreePath,
): Pick<ParsedDocument, 'rangeOf' | 'rangeOfKey'> => ({
  rangeOf: (inner) => document.rangeOf([...path, ...inner]),
  rangeOfKey: (inner) => document.rangeOfKey([...path, ...inner]),
});

const isSeveralLines = ({ source, start, end }: SourceRange): boolean =>
  source.text.slice(start, end).trimEnd().includes('\n');

function firstLine({ range }: Tree): SourceRange {
  const end = range.source.text.indexOf('\n', range.start);
  return end === -1 || end > range.end ? range : { ...range, end: Math.max(end, range.start + 1) };
}

/** Parses a YAML text; every syntax error is told. */
export function parseDocument(
  yaml: YamlModule,
  source: Source,
): { readonly document?: ParsedDocument; readonly diagnostics: readonly Diagnostic[] } {
  const control = findControl(source);
  if (control !== undefined) return { diagnostics: [control] };
  // A byte order mark is no part of the text; the builder moves offsets by it.
  const shift = source.text.startsWith('\uFEFF') ? 1 : 0;
  const parsed = yaml.parseDocument(source.text.slice(shift), {
    // Keys are compared by the builder, whose time is linear in them.
    uniqueKeys: false,
    prettyErrors: false,
    // Not "silent", which would also hide that there is a second document.
    logLevel: 'error',
  });
  // Whatever else is told of such a file follows from its having been given up.
  const exhausted = parsed.errors.find((error) => error.code === 'RESOURCE_EXHAUSTION');
  const errors = exhausted === undefined ? parsed.errors : [exhausted];
  const diagnostics = errors.map((error) => {
    const opened = isUnclosed(error) ? findOpen(yaml, source, error.pos[0] + shift) : undefined;
    return opened === undefined ? explainYamlError(error, source, shift) : explainUnclosed(opened);
  });
  if (diagnostics.length > 0) return { diagnostics };
  const { version } = parsed.directives.yaml;
  if (version !== '1.2') return { diagnostics: [explainVersion(version, source)] };
  if (parsed.contents === null || (yaml.isScalar(parsed.contents) && parsed.contents.source === '')) {
    const range = { source, start: 0, end: 1 };
    return {
      diagnostics: [
        {
          code: 'FILE_EMPTY',
          severity: 'error',
          message: `${source.file} ${source.text.trim() === '' ? 'is empty' : 'has only comments'}.`,
          ...(source.text === '' ? {} : { range }),
          help: 'Write `name: my-pipeline` and `steps:`, or make a project with `joyul init`.',
        },
      ],
    };
  }
  const found: Diagnostic[] = [];
  const builder = new TreeBuilder(yaml, source, shift, (diagnostic) => void found.push(diagnostic));
  const tree = builder.build(parsed.contents);
  if (found.some(({ severity }) => severity === 'error')) return { diagnostics: found };
  return { diagnostics: found, document: makeDocument(tree) };
}

/** Characters that YAML does not allow, and that would change what a terminal shows. */
function findControl(source: Source): Diagnostic | undefined {
  const at = source.text.search(/[\0-\x08\v\f\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufffe\uffff]/);
  if (at === -1) return undefined;
  const code = (source.text.codePointAt(at) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return {
    code: 'YAML_CHARACTER',
    severity: 'error',
    message: `Here is the control character U+${code}, which YAML does not allow.`,
    range: { source, start: at, end: at + 1 },
    help: `Remove it, or write "\\u${code}" in double quotes.`,
  };
}

function explainVersion(version: string, source: Source): Diagnostic {
  const start = Math.max(0, source.text.indexOf('%YAML'));
  return {
    code: 'YAML_SYNTAX',
    severity: 'error',
    message: `The file asks for YAML ${version}, but a pipeline is written in YAML 1.2.`,
    range: { source, start, end: start + `%YAML ${version}`.length },
    help: 'Remove this line.',
  };
}

const lineAt = (text: string, offset: number): string =>
  text.slice(text.lastIndexOf('\n', offset - 1) + 1, (text.indexOf('\n', offset) + 1 || text.length + 1) - 1);

const isUnclosed = ({ code, message }: YamlError): boolean =>
  (code === 'BAD_INDENT' && message.startsWith('Flow ')) ||
  (code === 'MISSING_CHAR' && /^Expected flow .* to end with/.test(message));

/** The innermost bracket that is still open at an offset. */
function findOpen(yaml: YamlModule, source: Source, offset: number): SourceRange | undefined {
  const open: number[] = [];
  let at = 0;
  for (const token of new yaml.Lexer().lex(source.text)) {
    if (at >= offset) break;
    if (token === '{' || token === '[') open.push(at);
    else if (token === '}' || token === ']') open.pop();
    // The lexer marks documents and scalars with control characters that stand in no file.
    if (!/^[\x02\x18\x1f]$/.test(token)) at += token.length;
  }
  const start = open.at(-1);
  return start === undefined ? undefined : { source, start, end: start + 1 };
}

function explainUnclosed(range: SourceRange): Diagnostic {
  const bracket = range.source.text[range.start] ?? '';
  return {
    code: 'YAML_SYNTAX',
    severity: 'error',
    message: `This ${bracket} is never closed.`,
    range,
    help: `Add a ${bracket === '{' ? '}' : ']'} where the value ends.`,
  };
}

/** What the library's codes mean in words of a person who wrote a pipeline. */
const wordsOf: Readonly<Record<string, string>> = {
  BAD_INDENT: 'The lines of this map or list are not indented alike.',
  MISSING_CHAR: 'Something that closes a value is missing here: a quote, a bracket or a comma.',
  UNEXPECTED_TOKEN: 'This cannot stand here.',
  BLOCK_AS_IMPLICIT_KEY: 'A value and a nested key cannot stand on one line.',
  MULTILINE_IMPLICIT_KEY: 'A key must stand on one line, with a colon after it.',
  IMPOSSIBLE: 'This cannot be read.',
};

function explainYamlError(error: YamlError, source: Source, shift: number): Diagnostic {
  const start = Math.min(error.pos[0] + shift, source.text.length);
  const lineEnd = source.text.indexOf('\n', start);
  const limit = lineEnd === -1 ? source.text.length : lineEnd;
  const end = Math.max(Math.min(error.pos[1] + shift, limit), start + 1);
  const range = { source, start, end };
  const line = lineAt(source.text, start);
  if (error.code === 'TAB_AS_INDENT' || /^ *\t/.test(line))
    return {
      code: 'YAML_TAB',
      severity: 'error',
      message: 'This line is indented with a tab, which YAML does not allow.',
      range,
      help: 'Indent with spaces.',
    };
  if (error.code === 'MULTIPLE_DOCS')
    return {
      code: 'YAML_DOCUMENTS',
      severity: 'error',
      message: 'A second YAML document begins here; a pipeline file has one.',
      range,
      help: 'Remove the `---`, or make a file of each document.',
    };
  if (error.code === 'RESOURCE_EXHAUSTION') return explainDepth(range);
  const own = error.message.split('\n')[0] ?? '';
  const message = wordsOf[error.code] ?? `${own}${own.endsWith('.') ? '' : '.'}`;
  const help = line.includes('${{')
    ? 'Put the whole value in quotes: "${{ ... }}".'
    : error.code === 'BLOCK_AS_IMPLICIT_KEY'
      ? 'Put a text that has a colon in quotes.'
      : undefined;
  return {
    code: 'YAML_SYNTAX',
    severity: 'error',
    message,
    range,
    ...(help === undefined ? {} : { help }),
  };
}
