import type { ErrorObject } from 'ajv';
import type { Diagnostic, DiagnosticCode } from '../diagnostics/diagnostic.ts';
import type { SourceRange } from '../diagnostics/source.ts';
import { findNearest } from '../util/suggest.ts';
import { namePattern } from './names.ts';

type Schema = Readonly<Record<string, unknown>>;

/** Where a schema error stands in the file. */
export interface Locator {
  rangeOf(path: readonly string[]): SourceRange;
  rangeOfKey(path: readonly string[]): SourceRange;
}

/** What the checked value is called. */
export interface ExplainOptions {
  /** The whole value, such as `The pipeline`. */
  readonly owner: string;
  /** The keys that lead to the whole value, where messages name them. */
  readonly prefix?: readonly string[];
  /** What its keys are called: `key` or `param`. */
  readonly noun: string;
  readonly codes: { readonly wrong: DiagnosticCode; readonly unknown: DiagnosticCode };
}

const isRecord = (value: unknown): value is Schema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const typeWords: Readonly<Record<string, string>> = {
  integer: 'a whole number',
  number: 'a number',
  string: 'a text',
  boolean: 'true or false',
  object: 'a map of keys',
  array: 'a list',
  null: 'empty',
};

/** A value as messages show it. */
export function showValue(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'empty';
  if (Array.isArray(value))
    return value.length === 0
      ? 'an empty list'
      : `a list of ${value.length} ${value.length === 1 ? 'item' : 'items'}`;
  if (typeof value === 'object') return Object.keys(value).length === 0 ? 'an empty map' : 'a map';
  const text = JSON.stringify(value);
  return text.length <= 60 ? text : `${text.slice(0, 57)}..."`;
}

const orList = (items: readonly string[]): string =>
  items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} or ${items.at(-1) ?? ''}`;

/** What a value must be, in words, from its schema. */
export function describeSchema(schema: Schema): string {
  const union = [schema['anyOf'] ?? schema['oneOf'] ?? []].flat().filter(isRecord);
  // What people call it, where its type says too little.
  if (typeof schema['$comment'] === 'string') return schema['$comment'];
  const constants = union.flatMap((item) => ('const' in item ? [item['const']] : []));
  if (Array.isArray(schema['enum']))
    return `one of ${orList(schema['enum'].map((choice) => JSON.stringify(choice)))}`;
  if (union.length > 0 && constants.length === union.length)
    return `one of ${orList(constants.map((choice) => JSON.stringify(choice)))}`;
  if (union.length > 0) return orList([...new Set(union.map(describeSchema))]);
  if ('const' in schema) return JSON.stringify(schema['const']);
  if (typeof schema['pattern'] === 'string' && typeof schema['description'] === 'string')
    return schema['description'].replace(/\.$/, '');
  const types = [schema['type'] ?? 'object'].flat().map((type) => typeWords[written(type)] ?? written(type));
  return [orList(types), ...describeLimits(schema)].join(' ');
}

/** A value of a schema as it is typed in YAML. */
const written = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

function describeLimits(schema: Schema): readonly string[] {
  const words: string[] = [];
  const say = (keyword: string, text: string): void => {
    if (schema[keyword] !== undefined)
      words.push(`${words.length > 0 ? 'and ' : ''}${text} ${written(schema[keyword])}`);
  };
  say('minimum', 'of at least');
  say('exclusiveMinimum', 'above');
  say('maximum', words.length > 0 ? 'at most' : 'of at most');
  say('exclusiveMaximum', 'below');
  say('multipleOf', 'that is a multiple of');
  if (schema['minLength'] === 1) words.push('that is not empty');
  else say('minLength', 'of a length of at least');
  say('maxLength', 'of a length of at most');
  say('pattern', 'that matches');
  say('minItems', 'with a length of at least');
  say('maxItems', 'with a length of at most');
  say('minProperties', 'with a number of keys of at least');
  if (schema['uniqueItems'] === true) words.push('without repeated items');
  return words;
}

const pathOf = (error: ErrorObject): readonly string[] =>
  error.instancePath
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

const isUnion = ({ keyword }: ErrorObject): boolean => keyword === 'anyOf' || keyword === 'oneOf';

/** True where a branch says what a key of the union's value must be, such as its type: that tells branches apart. */
const isDirectConstant = ({ keyword, instancePath }: ErrorObject, union: ErrorObject): boolean =>
  keyword === 'const' && !instancePath.slice(union.instancePath.length + 1).includes('/');

/** The key that tells the branches of a union apart, with what it may be; undefined where there is none. */
function findTag(union: ErrorObject): { readonly key: string; readonly schema: Schema } | undefined {
  const branches = [union.schema].flat().filter(isRecord);
  const propertiesOf = (branch: Schema): Schema =>
    isRecord(branch['properties']) ? branch['properties'] : {};
  const key = Object.keys(propertiesOf(branches[0] ?? {})).find((name) =>
    branches.every((branch) => {
      const property = propertiesOf(branch)[name];
      return isRecord(property) && 'const' in property;
    }),
  );
  if (key === undefined) return undefined;
  return { key, schema: { anyOf: branches.map((branch) => propertiesOf(branch)[key]) } };
}

/**
 * Of a union that no branch fits, keeps what says most: the errors of the one branch that has the right type,
 * or else the union itself.
 */
function chooseInUnions(errors: readonly ErrorObject[]): readonly ErrorObject[] {
  const dropped = new Set<ErrorObject>();
  for (const union of errors.filter(isUnion)) {
    // The same part of a schema may have checked several values.
    const inside = errors.filter(
      (error) =>
        error.schemaPath.startsWith(`${union.schemaPath}/`) &&
        `${error.instancePath}/`.startsWith(`${union.instancePath}/`),
    );
    const branches = Map.groupBy(
      inside,
      (error) => error.schemaPath.slice(union.schemaPath.length + 1).split('/')[0],
    );
    const near = [...branches.values()].filter((branch) =>
      branch.every((error) =>
        error.instancePath.length > union.instancePath.length && !isDirectConstant(error, union)
          ? true
          : ['required', 'additionalProperties'].includes(error.keyword),
      ),
    );
    const [only] = near;
    const isClear = near.length === 1 && only !== undefined;
    if (isClear) dropped.add(union);
    for (const error of inside) if (!isClear || !only.includes(error)) dropped.add(error);
  }
  return errors.filter((error) => !dropped.has(error));
}

/** Turns ajv's errors into messages; of several errors about one value the clearest is kept. */
export function explainSchemaErrors(
  errors: readonly ErrorObject[],
  locator: Locator,
  options: ExplainOptions,
): readonly Diagnostic[] {
  const seen = new Set<string>();
  const result: Diagnostic[] = [];
  for (const error of chooseInUnions(errors)) {
    if (error.keyword === 'if' || error.keyword === 'propertyNames') continue;
    const about = String(
      error.params['additionalProperty'] ?? error.params['missingProperty'] ?? error.propertyName ?? '',
    );
    const key = `${error.instancePath}|${about}`;
    if (seen.has(key)) continue;
    seen.add(key);
    result.push(explainError(error, locator, options));
  }
  return result;
}

function labelOf(path: readonly string[], { owner, prefix = [] }: ExplainOptions): string {
  const [first, ...rest] = path.length === 0 ? [] : [...prefix, ...path];
  if (first === undefined) return owner;
  return `"${first}${rest.map((part) => (/^\d+$/.test(part) ? `[${part}]` : `.${part}`)).join('')}"`;
}

function explainError(error: ErrorObject, locator: Locator, options: ExplainOptions): Diagnostic {
  const path = pathOf(error);
  if (error.propertyName !== undefined) return explainName(error.propertyName, path, locator);
  if (error.keyword === 'additionalProperties') return explainUnknown(error, locator, options);
  const parent: Schema = isRecord(error.parentSchema) ? error.parentSchema : {};
  const label = labelOf(path, options);
  if (error.keyword === 'required') {
    const key = String(error.params['missingProperty']);
    const properties = isRecord(parent['properties']) ? parent['properties'] : {};
    const schema = isRecord(properties[key]) ? properties[key] : {};
    return {
      code: 'MISSING_KEY',
      severity: 'error',
      message: `${label} has no "${key}", which must be ${describeSchema(schema)}.`,
      range: locator.rangeOfKey(path),
      help: `Add \`${key}: ${showExample(schema) ?? '...'}\`.`,
    };
  }
  const tag = isUnion(error) && isRecord(error.data) ? findTag(error) : undefined;
  if (tag !== undefined && isRecord(error.data) && Object.hasOwn(error.data, tag.key)) {
    const inner = { instancePath: `${error.instancePath}/${tag.key}`, keyword: 'enum', params: {} };
    return explainError({ ...error, ...inner, parentSchema: tag.schema, data: error.data[tag.key] }, locator, options); // prettier-ignore
  }
  const help = helpFor(parent, path.at(-1) ?? '', error.data);
  return {
    code: options.codes.wrong,
    severity: 'error',
    message: `${label} must be ${describeSchema(parent)}, but is ${showValue(error.data)}.`,
    range: locator.rangeOf(path),
    ...(help === undefined ? {} : { help }),
  };
}

/** Names that mean something else wherever they stand. */
const reservedNames: ReadonlyMap<string, string> = new Map([
  ['inputs', 'references use it for what the pipeline is given'],
  ['__proto__', 'it has a meaning of its own in JavaScript'],
]);

/** What is wrong with a name, in words. */
function findNameProblem(name: string): string {
  const reserved = reservedNames.get(name);
  if (reserved !== undefined) return reserved;
  const wrong = [...name].find((character) => !namePattern.test(character));
  if (wrong === undefined) return 'its letters and their marks are written apart (not in Unicode form NFC)';
  if (/\s/.test(wrong)) return 'it has a blank';
  if (/[!-~]/.test(wrong)) return `it has the character ${wrong}`;
  const code = (wrong.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return `it has the invisible character U+${code}`;
}

/** Tells that a name cannot be used. */
export function explainName(name: string, path: readonly string[], locator: Locator): Diagnostic {
  const allowed = [...name.normalize('NFC')].map((character) =>
    namePattern.test(character) ? character : '-',
  );
  const better = allowed.join('').replaceAll(/-+/g, '-').replaceAll(/^-|-$/g, '');
  const isReserved = reservedNames.has(name);
  return {
    code: 'NAME_INVALID',
    severity: 'error',
    message: `"${name}" cannot be a name: ${findNameProblem(name)}.`,
    range: locator.rangeOfKey([...path, name]),
    help: isReserved ? 'Choose another name.' : `Write a name such as "${better === '' ? 'first' : better}".`,
  };
}

function explainUnknown(error: ErrorObject, locator: Locator, options: ExplainOptions): Diagnostic {
  const { noun, codes } = options;
  const path = pathOf(error);
  const key = String(error.params['additionalProperty']);
  const parent: Schema = isRecord(error.parentSchema) ? error.parentSchema : {};
  const known = Object.keys(isRecord(parent['properties']) ? parent['properties'] : {});
  const nearest = findNearest(key, known);
  const all = known.length === 0 ? `There are no ${noun}s here.` : `The ${noun}s are ${known.join(', ')}.`;
  return {
    code: codes.unknown,
    severity: 'error',
    message: `${labelOf(path, options)} has no ${noun} "${key}".`,
    range: locator.rangeOfKey([...path, key]),
    help: nearest === undefined ? all : `Did you mean "${nearest}"?`,
  };
}

/** An example from a schema: its own, its default, its first choice or its least value. */
function showExample(schema: Schema): string | undefined {
  const first = (value: unknown): unknown => (Array.isArray(value) ? value[0] : undefined);
  const value =
    first(schema['examples']) ??
    schema['default'] ??
    first(schema['enum']) ??
    schema['minimum'] ??
    schema['const'];
  return value === undefined || value === null ? undefined : written(value);
}

/** Something to type instead. */
function helpFor(schema: Schema, key: string, found: unknown): string | undefined {
  const isKey = !/^\d*$/.test(key);
  const quoted = (value: string): string => (isKey ? `\`${key}: ${value}\`` : `\`${value}\``);
  const types = [schema['type'] ?? []].flat();
  if (types.includes('boolean') && typeof found === 'string' && /^(yes|no|on|off|y|n)$/i.test(found))
    return `In YAML 1.2, ${found} is a text; write ${quoted(/^(yes|on|y)$/i.test(found) ? 'true' : 'false')}.`;
  const isNumeric = types.includes('number') || types.includes('integer');
  if (types.length === 1 && types[0] === 'string' && ['number', 'boolean'].includes(typeof found))
    return `Put it in quotes: ${quoted(JSON.stringify(String(found)))}.`;
  if (isNumeric && typeof found === 'string' && found.trim() !== '' && Number.isFinite(Number(found)))
    return `Remove the quotes: ${quoted(found.trim())}.`;
  if (isNumeric && typeof found === 'string' && /^[-+]?\d[\d_]*(\.\d+)?$/.test(found))
    return `In YAML 1.2, ${found} is a text; write ${quoted(found.replaceAll('_', ''))}.`;
  if (types.length === 1 && types[0] === 'array' && typeof found === 'string')
    return `Write a list: ${quoted(`[${found}]`)}.`;
  const choices = Array.isArray(schema['enum'])
    ? schema['enum']
    : [schema['anyOf'] ?? []]
        .flat()
        .flatMap((item) => (isRecord(item) && 'const' in item ? [item['const']] : []));
  const nearest = typeof found === 'string' ? findNearest(found, choices.map(String)) : undefined;
  if (nearest !== undefined) return `Did you mean "${nearest}"?`;
  const example = showExample(schema);
  return example === undefined ? undefined : `Write a value such as ${quoted(example)}.`;
}
