/** The JSON Schema (draft-07) of a pipeline file; params of steps are checked by their plugins' own. */
const name = { type: 'string', minLength: 1 } as const;
const duration = {
  type: ['string', 'number'],
  pattern: '^\\d+(\\.\\d+)?\\s*(ms|s|m|h|d)$',
  description: 'A duration such as 30s, 10m or 2h; a number counts seconds.',
  examples: ['30m'],
} as const;

const retry = {
  type: 'object',
  additionalProperties: false,
  description: 'How often a failed attempt is tried again.',
  properties: {
    attempts: {
      type: 'integer',
      minimum: 1,
      maximum: 100,
      description: 'Attempts in all, the first included.',
    },
    delay: duration,
    factor: {
      type: 'number',
      minimum: 1,
      description: 'The delay grows by this factor each time; the default is 2.',
    },
    max_delay: duration,
    jitter: {
      type: 'number',
      minimum: 0,
      maximum: 1,
      description: 'Share of the delay that is random; the default is 0.1.',
    },
    on: {
      type: 'array',
      items: { type: ['string', 'integer'] },
      description: 'Only these exit or error codes are tried again.',
    },
  },
} as const;

const step = {
  type: 'object',
  additionalProperties: false,
  required: ['uses'],
  properties: {
    uses: {
      ...name,
      description: 'The plugin: an installed package, or the short name of one of Joyul’s own.',
    },
    description: { type: 'string' },
    with: { type: 'object', description: "The plugin's params." },
    inputs: {
      type: 'object',
      description: 'By input port: `step.port` of another step, or a list of them.',
      additionalProperties: { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' } }] },
    },
    if: { type: ['string', 'boolean'], description: 'The step is left out when this expression is false.' },
    matrix: {
      type: 'object',
      description: 'One instance for each combination of values.',
      properties: {
        include: { type: 'array', items: { type: 'object' }, description: 'Further combinations.' },
        exclude: { type: 'array', items: { type: 'object' }, description: 'Combinations that are left out.' },
      },
      additionalProperties: { type: 'array', minItems: 1 },
    },
    retry,
    timeout: duration,
    resources: {
      type: 'object',
      description: 'What the step takes from each pool while it runs.',
      additionalProperties: { type: 'number', minimum: 0 },
    },
    cache: {
      enum: ['rw', 'ro', 'wo', 'off'],
      description: 'Whether results are reused (r) and kept (w); the default is rw.',
    },
    environment: {
      type: 'object',
      description: 'Environment variables of the step.',
      additionalProperties: { type: ['string', 'number', 'boolean'] },
    },
  },
} as const;

/** The schema of a pipeline file. */
export const pipelineSchema = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Joyul pipeline',
  type: 'object',
  additionalProperties: false,
  required: ['name', 'steps'],
  properties: {
    name: { ...name, description: 'What the pipeline is called in lists and reports.' },
    description: { type: 'string' },
    params: {
      type: 'object',
      description: 'Values that steps read as ${{ params.NAME }}, and that --set changes.',
    },
    seed: {
      type: 'integer',
      minimum: 0,
      maximum: 4294967295,
      description: 'Decides every random draw; the default is 42.',
    },
    env: {
      type: 'object',
      description: 'Environment variables that expressions may read, with their defaults.',
      additionalProperties: { type: ['string', 'null'] },
    },
    pools: {
      type: 'object',
      description: 'Capacity of named resources.',
      additionalProperties: { type: 'number', minimum: 0 },
    },
    profiles: {
      type: 'object',
      description: 'Named changes to params, chosen with --profile.',
      additionalProperties: {
        type: 'object',
        additionalProperties: false,
        properties: { params: { type: 'object' }, seed: { type: 'integer' } },
      },
    },
    steps: {
      type: 'object',
      minProperties: 1,
      propertyNames: { pattern: '^[^\\s.@,]+$' },
      additionalProperties: step,
    },
  },
} as const;
