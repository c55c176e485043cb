import { createRequire } from 'node:module';
import type { ErrorObject, ValidateFunction } from 'ajv';
import { isSecret } from './expression.ts';
import { fillDefaults, fits } from './fast-check.ts';

type Ajv = InstanceType<(typeof import('ajv'))['Ajv']>;

const require = createRequire(import.meta.url);
let shared: Ajv | undefined;
const compiled = new WeakMap<object, ValidateFunction>();

/** Loaded when something may be wrong: a pipeline without errors never waits for it. */
function getAjv(): Ajv {
  if (shared !== undefined) return shared;
  const { Ajv } = require('ajv') as typeof import('ajv'); // The package's own types.
  shared = new Ajv({
    allErrors: true,
    useDefaults: true,
    strict: false,
    allowUnionTypes: true,
    verbose: true,
    validateFormats: false,
  });
  return shared;
}

/** True when a secret stands at the path of an error: only its step will know the value. */
function isAtSecret(value: unknown, error: ErrorObject): boolean {
  let at = value;
  for (const part of error.instancePath.split('/').slice(1)) {
    if (isSecret(at)) return true;
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    at = typeof at === 'object' && at !== null ? (at as Readonly<Record<string, unknown>>)[key] : undefined; // Any key of any object.
  }
  return isSecret(at);
}

/** Errors that say nothing: at a secret, or in a union of which one alternative failed at secrets alone. */
function findExcused(value: unknown, errors: readonly ErrorObject[]): ReadonlySet<ErrorObject> {
  const excused = new Set(errors.filter((error) => isAtSecret(value, error)));
  // The errors of a union's alternatives come before its own, so that inner unions are decided on first.
  for (const union of errors.filter(({ keyword }) => keyword === 'anyOf' || keyword === 'oneOf')) {
    const prefix = `${union.schemaPath}/`;
    const alternatives = new Map<string, ErrorObject[]>();
    for (const error of errors) {
      if (!error.schemaPath.startsWith(prefix) || !error.instancePath.startsWith(union.instancePath))
        continue;
      const [index = ''] = error.schemaPath.slice(prefix.length).split('/');
      alternatives.set(index, [...(alternatives.get(index) ?? []), error]);
    }
    const all = [...alternatives.values()];
    if (!all.some((list) => list.every((error) => excused.has(error)))) continue;
    for (const error of [union, ...all.flat()]) excused.add(error);
  }
  return excused;
}

/** Fills defaults into `value` and gives what is wrong with it; each schema object is compiled once. */
export function validateValue(schema: object, value: unknown): readonly ErrorObject[] {
  fillDefaults(schema, value);
  if (fits(schema, value)) return [];
  const check = compiled.get(schema) ?? getAjv().compile(schema);
  compiled.set(schema, check);
  if (check(value)) return [];
  const errors = check.errors ?? [];
  const excused = findExcused(value, errors);
  const kept = errors.filter((error) => !excused.has(error));
  // A union that failed only because of the secret inside it has nothing else to say.
  return kept.every((error) => ['anyOf', 'oneOf', 'if'].includes(error.keyword)) &&
    kept.length < errors.length
    ? []
    : kept;
}
