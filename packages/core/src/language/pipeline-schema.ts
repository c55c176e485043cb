/** The JSON Schema (draft-07) of a pipeline file; params of steps are checked by their plugins' own. */
const name = { type: 'string', minLength: 1 } as const;

/** Names stand in references and in ids, where these characters have a meaning. */
const names = {
  pattern: '^[^\\s.@,=/]+$',
  description: 'a name of letters, digits, - and _',
} as const;

/** A text with an expression in it, which is computed before the value is checked again. */
export const expressionPattern = '\\$\\{\\{';
const expression = {
  type: 'string',
  pattern: expressionPattern,
  description: 'an expression in ${{ }}',
} as const;

/** What a duration looks like once expressions are computed. */
export const durationPattern = '^\\d+(\\.\\d+)?\\s*(ms|s|m|h|d)$';
const duration = {
  type: ['string', 'number'],
  pattern: `${durationPattern}|${expressionPattern}`,
  minimum: 0,
  description: 'a duration such as 30s, 10m or 2h, or a number of seconds',
  examples: ['30m'],
} as const;

/** What a size looks like once expressions are computed. */
export const sizePattern = '^\\d+(\\.\\d+)?\\s*(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)$';

const orExpression = <S extends object>(schema: S): { readonly anyOf: readonly [S, typeof expression] } => ({
  anyOf: [schema, expression],
});

const retry = {
  type: 'object',
  additionalProperties: false,
  description: 'How often a failed attempt is tried again.',
  properties: {
    attempts: {
      ...orExpression({ type: 'integer', minimum: 1, maximum: 100 }),
      description: 'Attempts in all, the first included; the default is 1.',
      examples: [3],
    },
    delay: { ...duration, examples: ['2s'] },
    factor: {
      type: 'number',
      minimum: 1,
      description: 'The delay grows by this factor each time; the default is 2.',
    },
    max_delay: { ...duration, examples: ['5m'] },
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

const resources = {
  type: 'object',
  description: 'What the step takes from each pool while it runs.',
  additionalProperties: {
    type: ['number', 'string'],
    minimum: 0,
    pattern: `${sizePattern}|${expressionPattern}`,
    description: 'a number, or a size such as 4GB',
    examples: [1],
  },
} as const;

const cache = {
  enum: ['rw', 'ro', 'wo', 'off', true, false],
  description: 'Whether results are reused (r) and kept (w); the default is rw.',
} as const;

const environment = {
  type: 'object',
  description: 'Environment variables of the step.',
  additionalProperties: { type: ['string', 'number', 'boolean'] },
} as const;

const matrix = {
  type: 'object',
  description: 'One instance of the step for each combination of values.',
  propertyNames: names,
  properties: {
    include: {
      type: 'array',
      items: { type: 'object' },
      description: 'Values added to matching combinations, and further combinations.',
    },
    exclude: { type: 'array', items: { type: 'object' }, description: 'Combinations that are left out.' },
  },
  additionalProperties: {
    anyOf: [{ type: 'array', minItems: 1 }, expression],
    description: 'the values of this axis as a list',
    examples: ['[1, 2]'],
  },
} as const;

const stepProperties = {
  uses: {
    ...name,
    description: 'The plugin: an installed package, or the short name of one of Joyul’s own.',
    examples: ['train'],
  },
  description: { type: 'string' },
  with: { type: 'object', description: "The plugin's params." },
  inputs: {
    type: 'object',
    description: 'By input port: `step.port` of another step, or a list of them.',
    additionalProperties: {
      anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, minItems: 1 }],
      examples: ['prepare.dataset'],
    },
  },
  if: { type: ['string', 'boolean'], description: 'The step is left out when this expression is false.' },
  matrix,
  retry,
  timeout: duration,
  resources,
  cache,
  environment,
} as const;

const step = {
  type: 'object',
  additionalProperties: false,
  required: ['uses'],
  properties: stepProperties,
} as const;

const defaults = {
  type: 'object',
  additionalProperties: false,
  description: 'What every step has unless it says otherwise.',
  properties: { retry, timeout: duration, resources, cache, environment },
} as const;

const seed = {
  type: 'integer',
  minimum: 0,
  maximum: 4294967295,
  description: 'Decides every random draw; the default is 42.',
} as const;

const env = {
  description: 'Environment variables that expressions may read: names, or names with defaults.',
  anyOf: [
    { type: 'array', items: { type: 'string', minLength: 1 } },
    { type: 'object', additionalProperties: { type: ['string', 'number', 'boolean', 'null'] } },
  ],
} as const;

const pools = {
  type: 'object',
  description: 'Capacity of named resources.',
  additionalProperties: {
    type: ['number', 'string'],
    minimum: 0,
    pattern: sizePattern,
    description: 'a number, or a size such as 16GB',
    examples: [1],
  },
} as const;

const profile = {
  type: 'object',
  additionalProperties: false,
  properties: {
    params: { type: 'object' },
    seed,
    pools,
    defaults,
    steps: {
      type: 'object',
      additionalProperties: { type: 'object', additionalProperties: false, properties: stepProperties },
    },
  },
} as const;

/** When a pipeline is started by itself; the same keys stand in a pipeline and in a file of `schedules/`. */
export const scheduleSchema = {
  type: 'object',
  additionalProperties: false,
  required: ['cron'],
  description: 'When `joyul schedule` starts the pipeline.',
  properties: {
    cron: {
      ...name,
      description:
        'Minute, hour, day of month, month, day of week, with seconds before them if there are six; or a word such as @daily.',
      examples: ['0 3 * * *'],
    },
    timezone: { ...name, description: 'An IANA name; the default is UTC.', examples: ['Europe/Berlin'] },
    overlap: {
      enum: ['skip', 'buffer_one', 'buffer_all', 'cancel_other', 'terminate_other', 'allow_all'],
      description: 'What happens when the last run still runs; the default is skip.',
    },
    catchup: {
      enum: ['none', 'last', 'all'],
      description: 'Which missed runs are made up for; the default is none.',
    },
    catchup_window: { ...duration, examples: ['12h'] },
    jitter: { ...duration, examples: ['5m'] },
    pause_on_failure: {
      type: 'boolean',
      description: 'Whether a failed run pauses the schedule; the default is false.',
    },
    start: {
      type: 'string',
      description:
        'Nothing starts before this date, or date and time, in ISO 8601 and the schedule’s time zone.',
      examples: ['2026-01-31'],
    },
    end: {
      type: 'string',
      description: 'Nothing starts after this date, or date and time; a date alone is its last second.',
      examples: ['2026-12-31'],
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
    name: {
      ...name,
      description: 'What the pipeline is called in lists and reports.',
      examples: ['intents'],
    },
    description: { type: 'string' },
    extends: {
      ...name,
      description: 'A pipeline file that this one changes; the path is relative to this file.',
    },
    include: {
      type: 'array',
      items: name,
      description: 'Files whose params and steps are added; paths are relative to this file.',
    },
    params: {
      type: 'object',
      description:
        'Values that steps read as ${{ params.NAME }}, and that --set changes; or declarations with type and default.',
      propertyNames: names,
    },
    seed,
    env,
    secrets: {
      type: 'array',
      items: name,
      description: 'Names of secrets that steps may be given; their values are nowhere recorded.',
    },
    pools,
    defaults,
    profiles: {
      type: 'object',
      description: 'Named changes, chosen with --profile.',
      additionalProperties: profile,
    },
    schedule: scheduleSchema,
    steps: { type: 'object', minProperties: 1, propertyNames: names, additionalProperties: step },
  },
} as const;
