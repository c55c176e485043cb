/** Typed declarations of params: `{ type: integer, minimum: 1, default: 3 }`. */
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import { findNearest } from '../util/suggest.ts';
import type { ParsedDocument } from './document.ts';
import { locateIn } from './document.ts';
import { explainSchemaErrors } from './explain-schema.ts';
import { validateValue } from './schema-validator.ts';
import type { Tree, TreePath } from './tree.ts';
import { entryOf } from './tree.ts';

type Fields = Readonly<Record<string, unknown>>;

const typeNames = ['string', 'number', 'integer', 'boolean', 'array', 'object'] as const;
const types: ReadonlySet<unknown> = new Set(typeNames);

/** What people write who come from other languages. */
const synonyms: Readonly<Record<string, (typeof typeNames)[number]>> = {
  str: 'string',
  text: 'string',
  int: 'integer',
  float: 'number',
  double: 'number',
  bool: 'boolean',
  list: 'array',
  map: 'object',
  dict: 'object',
};

const count = { type: 'integer', minimum: 0 } as const;
const number = { type: 'number' } as const;

/** What a declaration may say, all of it words of JSON Schema. */
const declarationSchema = {
  type: 'object',
  additionalProperties: false,
  properties: {
    type: { enum: typeNames },
    default: {},
    description: { type: 'string' },
    title: { type: 'string' },
    examples: { type: 'array' },
    enum: { type: 'array', minItems: 1 },
    minimum: number,
    maximum: number,
    exclusiveMinimum: number,
    exclusiveMaximum: number,
    multipleOf: { type: 'number', exclusiveMinimum: 0 },
    minLength: count,
    maxLength: count,
    pattern: { type: 'string' },
    items: { type: 'object' },
    minItems: count,
    maxItems: count,
    uniqueItems: { type: 'boolean' },
    properties: { type: 'object', additionalProperties: { type: 'object' } },
    required: { type: 'array', items: { type: 'string' } },
    additionalProperties: { type: 'boolean' },
  },
} as const;

const declarationKeys = Object.keys(declarationSchema.properties);

/**
 * True for a declaration; any other map is a value.
 *
 * One that has a wrong type or a mistyped key is still meant as one, so that the mistake is told and the map does
 * not become the value.
 */
export function isDeclaration(tree: Tree): boolean {
  if (tree.kind !== 'map') return false;
  const type = entryOf(tree, 'type')?.value;
  const isNamed = type?.kind === 'scalar' && types.has(type.value);
  const isMeant = type?.kind === 'scalar' && tree.entries.has('default');
  const isChoice = entryOf(tree, 'enum')?.value.kind === 'list';
  const isKey = (key: string): boolean =>
    declarationKeys.includes(key) || findNearest(key, declarationKeys) !== undefined;
  return (isNamed || isMeant || isChoice) && [...tree.entries.keys()].every(isKey);
}

const isRecord = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What is wrong with a declaration; nothing when values can be checked by it. */
export function checkDeclaration(
  written: unknown,
  path: TreePath,
  document: ParsedDocument,
): readonly Diagnostic[] {
  const options = {
    owner: `"${path.join('.')}"`,
    prefix: path.map(String),
    noun: 'key',
    codes: { wrong: 'WRONG_TYPE', unknown: 'UNKNOWN_KEY' },
  } as const;
  const found = explainSchemaErrors(
    validateValue(declarationSchema, written),
    locateIn(document, path),
    options,
  );
  if (!isRecord(written)) return found;
  const { type, pattern, items, properties } = written;
  const meant = typeof type === 'string' && Object.hasOwn(synonyms, type) ? synonyms[type] : undefined;
  const own = found.map((diagnostic) =>
    meant !== undefined && diagnostic.message.startsWith(`"${[...path, 'type'].join('.')}"`)
      ? { ...diagnostic, help: `Write \`type: ${meant}\`.` }
      : diagnostic,
  );
  return [
    ...own,
    ...(typeof pattern === 'string' ? checkPattern(pattern, [...path, 'pattern'], document) : []),
    ...(isRecord(items) ? checkDeclaration(items, [...path, 'items'], document) : []),
    ...Object.entries(isRecord(properties) ? properties : {}).flatMap(([key, value]) =>
      isRecord(value) ? checkDeclaration(value, [...path, 'properties', key], document) : [],
    ),
  ];
}

function checkPattern(pattern: string, path: TreePath, document: ParsedDocument): readonly Diagnostic[] {
  try {
    // oxlint-disable-next-line no-new -- only whether it can be made
    new RegExp(pattern, 'u');
    return [];
  } catch (error) {
    const why = error instanceof Error ? error.message.replace(/^.*\/u: /, '') : String(error);
    return [
      {
        code: 'WRONG_TYPE',
        severity: 'error',
        message: `"${path.join('.')}" must be a regular expression, but ${JSON.stringify(pattern)} is none: ${why}.`,
        range: document.rangeOf(path),
        help: 'Write a pattern such as `^[a-z]+$`.',
      },
    ];
  }
}
