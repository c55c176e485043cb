/**
 * Says quickly that a value fits a JSON Schema, without compiling it.
 *
 * Most values fit, and a compiler takes longer to load and to compile one schema than all of a usual pipeline
 * takes to read. So this only ever says "fits" or "cannot say"; whoever wants to know what is wrong asks ajv.
 */
import { isDeepStrictEqual } from 'node:util';
import { formatCanonicalJson } from '../util/canonical-json.ts';

type Fields = Readonly<Record<string, unknown>>;
type Rule = (limit: unknown, value: unknown, schema: Fields) => boolean;

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const typeChecks: Readonly<Record<string, (value: unknown) => boolean>> = {
  null: (value) => value === null,
  boolean: (value) => typeof value === 'boolean',
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number' && Number.isFinite(value),
  integer: (value) => Number.isInteger(value),
  array: Array.isArray,
  object: isRecord,
};

/** ajv counts code points. */
const lengthOf = (text: string): number => [...text].length;

const patterns = new Map<string, RegExp>();

function matches(source: unknown, text: string): boolean {
  if (typeof source !== 'string') return false;
  const pattern = patterns.get(source) ?? new RegExp(source, 'u');
  patterns.set(source, pattern);
  return pattern.test(text);
}

/** A rule about numbers, which passes for everything else. */
const numeric =
  (compare: (value: number, limit: number) => boolean): Rule =>
  (limit, value) =>
    typeof value !== 'number' || (typeof limit === 'number' && compare(value, limit));
const textual =
  (compare: (value: string, limit: number) => boolean): Rule =>
  (limit, value) =>
    typeof value !== 'string' || (typeof limit === 'number' && compare(value, limit));
const listed =
  (compare: (value: readonly unknown[], limit: number) => boolean): Rule =>
  (limit, value) =>
    !Array.isArray(value) || (typeof limit === 'number' && compare(value, limit));
const keyed =
  (compare: (value: Fields, limit: number) => boolean): Rule =>
  (limit, value) =>
    !isRecord(value) || (typeof limit === 'number' && compare(value, limit));
const says: Rule = () => true;

const rules: Readonly<Record<string, Rule>> = {
  $schema: says,
  $id: says,
  $comment: says,
  title: says,
  description: says,
  markdownDescription: says,
  default: says,
  examples: says,
  type: (types, value) =>
    (Array.isArray(types) ? types : [types]).some((type) => typeChecks[String(type)]?.(value) === true),
  enum: (choices, value) =>
    Array.isArray(choices) && choices.some((choice) => isDeepStrictEqual(choice, value)),
  const: (choice, value) => isDeepStrictEqual(choice, value),
  minimum: numeric((value, limit) => value >= limit),
  maximum: numeric((value, limit) => value <= limit),
  exclusiveMinimum: numeric((value, limit) => value > limit),
  exclusiveMaximum: numeric((value, limit) => value < limit),
  minLength: textual((value, limit) => lengthOf(value) >= limit),
  maxLength: textual((value, limit) => lengthOf(value) <= limit),
  pattern: (source, value) => typeof value !== 'string' || matches(source, value),
  minItems: listed((value, limit) => value.length >= limit),
  maxItems: listed((value, limit) => value.length <= limit),
  multipleOf: numeric((value, limit) => Number.isInteger(value / limit)),
  uniqueItems: (isUnique, value) =>
    isUnique !== true ||
    !Array.isArray(value) ||
    new Set(value.map((item) => formatCanonicalJson(item))).size === value.length,
  minProperties: keyed((value, limit) => Object.keys(value).length >= limit),
  maxProperties: keyed((value, limit) => Object.keys(value).length <= limit),
  items: (schema, value) => !Array.isArray(value) || value.every((item) => fits(schema, item)),
  required: (keys, value) =>
    !isRecord(value) || (Array.isArray(keys) && keys.every((key) => Object.hasOwn(value, String(key)))),
  properties: (schemas, value) =>
    !isRecord(value) ||
    (isRecord(schemas) &&
      Object.entries(value).every(([key, item]) => !Object.hasOwn(schemas, key) || fits(schemas[key], item))),
  additionalProperties: (rest, value, schema) => {
    if (!isRecord(value) || rest === true) return true;
    const known = isRecord(schema['properties']) ? schema['properties'] : {};
    return Object.entries(value).every(
      ([key, item]) => Object.hasOwn(known, key) || (rest !== false && fits(rest, item)),
    );
  },
  propertyNames: (schema, value) => !isRecord(value) || Object.keys(value).every((key) => fits(schema, key)),
  anyOf: (schemas, value) => Array.isArray(schemas) && schemas.some((schema) => fits(schema, value)),
  allOf: (schemas, value) => Array.isArray(schemas) && schemas.every((schema) => fits(schema, value)),
};

/** True when a value surely fits; false when it does not, or when the schema says more than is known here. */
export function fits(schema: unknown, value: unknown): boolean {
  if (schema === true) return true;
  if (!isRecord(schema)) return false;
  for (const keyword in schema) {
    if (rules[keyword]?.(schema[keyword], value, schema) !== true) return false;
  }
  return true;
}

/** Fills in defaults of absent properties, as ajv does: not inside `anyOf`, and nested ones after their parents. */
export function fillDefaults(schema: unknown, value: unknown): void {
  if (!isRecord(schema)) return;
  if (Array.isArray(value) && isRecord(schema['items']))
    for (const item of value) fillDefaults(schema['items'], item);
  const { properties } = schema;
  if (!isRecord(value) || !isRecord(properties)) return;
  for (const [key, property] of Object.entries(properties)) {
    if (!isRecord(property)) continue;
    if (value[key] === undefined && 'default' in property) value[key] = structuredClone(property['default']);
    if (value[key] !== undefined) fillDefaults(property, value[key]);
  }
}
