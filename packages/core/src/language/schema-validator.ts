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

/** Fills defaults into `value` and gives what is wrong with it; each schema object is compiled once. */
export function validateValue(schema: object, value: unknown): readonly ErrorObject[] {
  fillDefaults(schema, value);
  if (fits(schema, value)) return [];
  const check = compiled.get(schema) ?? getAjv().compile(schema);
  compiled.set(schema, check);
  if (check(value)) return [];
  const errors = check.errors ?? [];
  const kept = errors.filter((error) => !isAtSecret(value, error));
  // A union that failed only because of the secret inside it has nothing else to say.
  return kept.every((error) => ['anyOf', 'oneOf', 'if'].includes(error.keyword)) &&
    kept.length < errors.length
    ? []
    : kept;
}
