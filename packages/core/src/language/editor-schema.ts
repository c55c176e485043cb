import type { StepPlugin } from '@joyul/plugin-api';
import { expressionPattern, pipelineSchema } from './pipeline-schema.ts';

type JsonSchema = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const expression = { type: 'string', pattern: expressionPattern } as const;

/** Without the keys that have a default among those that must be there: they are filled in. */
function withoutDefaulted(schema: JsonSchema): JsonSchema {
  const { required, properties } = schema;
  if (!Array.isArray(required) || !isObject(properties)) return schema;
  const isNeeded = (key: unknown): boolean => {
    const property = typeof key === 'string' ? properties[key] : undefined;
    return !(isObject(property) && 'default' in property);
  };
  return { ...schema, required: required.filter(isNeeded) };
}

/**
 * A schema of params that also lets every value be an expression: editors see the file before expressions are
 * computed. What a value must be afterwards is checked by `joyul validate`.
 */
function allowExpressions(schema: JsonSchema): JsonSchema {
  const { description, default: fallback, examples, ...rest } = schema;
  const map = (value: unknown): unknown => (isObject(value) ? allowExpressions(value) : value);
  const inner: Record<string, unknown> = { ...withoutDefaulted(rest) };
  for (const keyword of ['items', 'additionalProperties'])
    if (isObject(inner[keyword])) inner[keyword] = map(inner[keyword]);
  for (const keyword of ['properties', 'patternProperties']) {
    const schemas = inner[keyword];
    if (isObject(schemas))
      inner[keyword] = Object.fromEntries(Object.entries(schemas).map(([key, value]) => [key, map(value)]));
  }
  for (const keyword of ['anyOf', 'oneOf', 'allOf']) {
    const schemas = inner[keyword];
    // The expression stands beside the union, not in each of its parts.
    if (Array.isArray(schemas))
      inner[keyword] = schemas.map((item: unknown) =>
        isObject(item) && (item['type'] === 'object' || item['type'] === 'array') ? map(item) : item,
      );
  }
  // Annotations stay outside, where editors look for them.
  return {
    ...(description === undefined ? {} : { description }),
    ...(fallback === undefined ? {} : { default: fallback }),
    ...(examples === undefined ? {} : { examples }),
    anyOf: [inner, expression],
  };
}

function describePorts(ports: StepPlugin['inputs']): JsonSchema {
  const reference = { type: 'string', pattern: '^[^\\s.]+\\.[^\\s.]+$' };
  return Object.fromEntries(
    Object.entries(ports).map(([name, port]) => [
      name,
      {
        description: `${port.summary ?? `An artifact of type ${port.type}.`} Written as \`step.port\`.`,
        anyOf:
          port.many === true ? [reference, { type: 'array', items: reference, minItems: 1 }] : [reference],
      },
    ]),
  );
}

/** What a step that uses one plugin looks like. */
function describeStep(uses: string, plugin: StepPlugin): JsonSchema {
  // TypeBox hangs its own symbols on schemas; only what JSON has is kept.
  const params = JSON.parse(JSON.stringify(plugin.params)) as JsonSchema;
  const withSchema: JsonSchema = { ...withoutDefaulted(params), description: plugin.summary };
  const properties = isObject(params['properties']) ? params['properties'] : {};
  return {
    if: { properties: { uses: { const: uses } }, required: ['uses'] },
    // oxlint-disable-next-line unicorn/no-thenable -- the keyword of JSON Schema
    then: {
      properties: {
        uses: { description: plugin.summary },
        with: {
          ...withSchema,
          properties: Object.fromEntries(
            Object.entries(properties).map(([key, value]) => [
              key,
              isObject(value) ? allowExpressions(value) : value,
            ]),
          ),
        },
        inputs: { additionalProperties: false, properties: describePorts(plugin.inputs) },
      },
    },
  };
}

/** The JSON Schema (draft-07) of a pipeline file for editors, with the params and ports of the plugins. */
export function makeEditorSchema(plugins: ReadonlyMap<string, StepPlugin>): JsonSchema {
  const { properties } = pipelineSchema;
  const { steps } = properties;
  return {
    ...pipelineSchema,
    properties: {
      ...properties,
      steps: {
        ...steps,
        additionalProperties: {
          ...steps.additionalProperties,
          properties: {
            ...steps.additionalProperties.properties,
            uses: {
              ...steps.additionalProperties.properties.uses,
              anyOf: [{ enum: [...plugins.keys()] }, { type: 'string' }],
            },
          },
          allOf: [...plugins].map(([uses, plugin]) => describeStep(uses, plugin)),
        },
      },
    },
  };
}
