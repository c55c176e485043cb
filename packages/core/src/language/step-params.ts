import type { JsonObject } from '@joyul/plugin-api';
import type { Diagnostic } from '../diagnostics/diagnostic.ts';
import type { SourceRange } from '../diagnostics/source.ts';
import type { ResolvedPlugin } from '../graph/graph.ts';
import { evaluateValue } from './evaluate-value.ts';
import { explainSchemaErrors } from './explain-schema.ts';
import { validateValue } from './schema-validator.ts';
import { setAt } from './sets.ts';
import type { StepSite } from './step-site.ts';

/** One schema object a plugin, so that it is compiled once. */
const schemas = new WeakMap<object, object>();

function schemaOf({ plugin }: ResolvedPlugin): object {
  const own = plugin.params as unknown as object; // A TypeBox schema is a JSON Schema.
  const known = schemas.get(own) ?? { additionalProperties: false, ...own };
  schemas.set(own, known);
  return known;
}

/** The values of `with`, computed and changed by the command line; undefined, and told, where that fails. */
export function evaluateWith(site: StepSite): Readonly<Record<string, unknown>> | undefined {
  const { pipeline, name, spec, path, scope } = site;
  const { document, shared, sets } = pipeline;
  let isBroken = false;
  const report = (diagnostic: Diagnostic): void => {
    isBroken ||= diagnostic.severity === 'error';
    shared.report(diagnostic);
  };
  const onTold = (): void => {
    isBroken = true;
  };
  const evaluation = { scope, document, report, onTold };
  let value = evaluateValue(spec.with ?? {}, [...path, 'with'], evaluation) as Record<string, unknown>; // A map gives a map.
  // What an expression should have given is not there: the schema would only tell it again.
  if (isBroken) return undefined;
  for (const set of sets) if (set.step === name) value = setAt(value, set.path, set.value);
  return value;
}

/** The params of a step, with defaults, checked by its plugin; undefined, and told, where they are wrong. */
export function makeParams(plugin: ResolvedPlugin, site: StepSite): JsonObject | undefined {
  const { pipeline, name, spec, path } = site;
  const { document, shared } = pipeline;
  const value = evaluateWith(site);
  if (value === undefined) return undefined;
  const hasWith = spec.with !== undefined;
  const locator = {
    rangeOf: (inner: readonly string[]): SourceRange =>
      hasWith ? document.rangeOf([...path, 'with', ...inner]) : document.rangeOfKey(path),
    rangeOfKey: (inner: readonly string[]): SourceRange =>
      document.rangeOfKey(hasWith ? [...path, 'with', ...inner] : path),
  };
  const errors = explainSchemaErrors(validateValue(schemaOf(plugin), value), locator, {
    owner: `The step "${name}"`,
    noun: 'param',
    codes: { wrong: 'PARAM_TYPE', unknown: 'PARAM_UNKNOWN' },
  });
  errors.forEach(shared.report);
  if (errors.length > 0) return undefined;
  const issues = plugin.plugin.check?.(value) ?? [];
  for (const issue of issues)
    shared.report({
      code: `${plugin.plugin.name}/${issue.code}`,
      severity: 'error',
      message: issue.message,
      range: locator.rangeOf(issue.path),
      ...(issue.help === undefined ? {} : { help: issue.help }),
    });
  return issues.length > 0 ? undefined : (value as JsonObject); // YAML and JSON give JSON values.
}
