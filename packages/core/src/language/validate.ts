import type { ErrorObject, ValidateFunction } from 'ajv';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { SourceRange } from '../diagnostics/source.ts';
import { findNearest } from '../util/suggest.ts';

type AjvConstructor = (typeof import('ajv'))['Ajv'];

/** Compiles schemas once each. */
export class SchemaValidator {
  readonly #ajv: InstanceType<AjvConstructor>;
  readonly #compiled = new Map<object, ValidateFunction>();

  constructor(Ajv: AjvConstructor) {
    this.#ajv = new Ajv({
      allErrors: true,
      useDefaults: true,
      strict: false,
      allowUnionTypes: true,
      verbose: true,
    });
  }

  /** Fills defaults into `value` and gives what is wrong with it. */
  validate(schema: object, value: unknown): readonly ErrorObject[] {
    const known = this.#compiled.get(schema);
    const check = known ?? this.#ajv.compile(schema);
    if (known === undefined) this.#compiled.set(schema, check);
    return check(value) === true ? [] : (check.errors ?? []);
  }
}

const article = (type: string): string =>
  ({
    integer: 'a whole number',
    number: 'a number',
    string: 'a text',
    boolean: 'true or false',
    object: 'a map of keys',
    array: 'a list',
    null: 'empty',
  })[type] ?? type;

function show(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'a list' : 'a map';
  return JSON.stringify(value);
}

/** What a value must be, in words, from its schema. */
export function describeSchema(schema: Readonly<Record<string, unknown>>): string {
  const choices =
    schema['enum'] ??
    (Array.isArray(schema['anyOf'])
      ? schema['anyOf'].flatMap((item: { const?: unknown }) => ('const' in item ? [item.const] : []))
      : []);
  if (Array.isArray(choices) && choices.length > 0)
    return `one of ${choices.map((choice) => JSON.stringify(choice)).join(', ')}`;
  if (Array.isArray(schema['anyOf']))
    return (schema['anyOf'] as Readonly<Record<string, unknown>>[]).map(describeSchema).join(', or ');
  if ('const' in schema) return JSON.stringify(schema['const']);
  const types = [schema['type'] ?? 'object'].flat().map((type) => article(String(type)));
  const words = [types.join(' or ')];
  if (schema['minimum'] !== undefined) words.push(`of at least ${String(schema['minimum'])}`);
  if (schema['exclusiveMinimum'] !== undefined) words.push(`above ${String(schema['exclusiveMinimum'])}`);
  if (schema['maximum'] !== undefined)
    words.push(`${schema['minimum'] === undefined ? 'of' : 'and'} at most ${String(schema['maximum'])}`);
  if (typeof schema['pattern'] === 'string' && typeof schema['description'] === 'string')
    words.push(`(${schema['description'].replace(/\.$/, '')})`);
  return words.join(' ');
}

/** Where a schema error stands in the file. */
export interface Locator {
  rangeOf(path: readonly string[]): SourceRange;
  rangeOfKey(path: readonly string[]): SourceRange;
}

const pathOf = (error: ErrorObject): readonly string[] =>
  error.instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

/** Turns ajv's errors into messages; of several errors about one value the clearest is kept. */
export function explainSchemaErrors(
  errors: readonly ErrorObject[],
  locator: Locator,
  options: { readonly isParam: boolean; readonly owner: string },
): readonly Diagnostic[] {
  const seen = new Set<string>();
  const result: Diagnostic[] = [];
  // An `anyOf` reports each failed branch before itself: the branches say less than the whole.
  const unions = new Set(
    errors.filter((error) => error.keyword === 'anyOf').map((error) => error.instancePath),
  );
  for (const error of errors) {
    if (error.keyword !== 'anyOf' && unions.has(error.instancePath) && error.schemaPath.includes('/anyOf/'))
      continue;
    if (error.keyword === 'if' || error.keyword === 'propertyNames') continue;
    const extra = error.keyword === 'additionalProperties' ? String(error.params['additionalProperty']) : '';
    const key = `${error.instancePath}|${error.keyword === 'required' ? String(error.params['missingProperty']) : extra}`;
    if (seen.has(key)) continue;
    seen.add(key);
    result.push(explainError(error, locator, options));
  }
  return result;
}

function explainError(
  error: ErrorObject,
  locator: Locator,
  { isParam, owner }: { readonly isParam: boolean; readonly owner: string },
): Diagnostic {
  const path = pathOf(error);
  const parent = error.parentSchema ?? {};
  if (error.keyword === 'additionalProperties') {
    const key = String(error.params['additionalProperty']);
    const names = Object.keys((parent['properties'] ?? {}) as object);
    const nearest = findNearest(key, names);
    return {
      code: isParam ? 'PARAM_UNKNOWN' : 'UNKNOWN_KEY',
      severity: 'error',
      message: `${path.length === 0 ? owner : `"${path.join('.')}"`} has no ${isParam ? 'param' : 'key'} "${key}".`,
      range: locator.rangeOfKey([...path, key]),
      help:
        nearest === undefined
          ? `The keys are ${names.map((item) => `"${item}"`).join(', ')}.`
          : `Did you mean "${nearest}"?`,
    };
  }
  if (error.keyword === 'required') {
    const key = String(error.params['missingProperty']);
    const properties = (parent['properties'] ?? {}) as Readonly<
      Record<string, Readonly<Record<string, unknown>>>
    >;
    return {
      code: 'MISSING_KEY',
      severity: 'error',
      message: `${path.length === 0 ? owner : `"${path.join('.')}"`} must have "${key}": ${describeSchema(properties[key] ?? {})}.`,
      range: locator.rangeOfKey(path),
      help: `Add \`${key}: ...\`.`,
    };
  }
  const label = path.length === 0 ? owner : `"${path.join('.')}"`;
  const example = exampleFor(parent, path.at(-1) ?? '');
  return {
    code: isParam ? 'PARAM_TYPE' : 'WRONG_TYPE',
    severity: 'error',
    message: `${label} must be ${describeSchema(parent)}, but is ${show(error.data)}.`,
    range: locator.rangeOf(path),
    ...(example === undefined ? {} : { help: example }),
  };
}

/** Something to type, from the schema's example, default or choices. */
function exampleFor(schema: Readonly<Record<string, unknown>>, key: string): string | undefined {
  const examples = schema['examples'];
  const value: unknown = Array.isArray(examples) ? examples[0] : (schema['default'] ?? schema['minimum']);
  if (value === undefined || typeof value === 'object' || !/^[A-Za-z_]/.test(key)) return undefined;
  return `Write a value such as \`${key}: ${String(value)}\`.`;
}
