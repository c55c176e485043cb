/** The JSON Schema (draft-07) of a pipeline file; params of steps are checked by their plugins' own. */
import { nameSource, stepNameSource } from './names.ts';

const name = { type: 'string', minLength: 1 } as const;

const names = { pattern: nameSource, description: 'a name of letters, digits, - and _' } as const;
const stepNames = { ...names, pattern: stepNameSource } as const;

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
    $comment: 'a list of values, or an expression that gives one',
    examples: ['[1, 2]'],
  },
} as const;

const gates = {
  type: 'array',
  description: 'What must hold of what the step measured; a gate that refuses ends the step as failed.',
  items: {
    anyOf: [
      {
        type: 'string',
        minLength: 1,
        $comment: 'a condition such as metrics.accuracy >= 0.9',
        examples: ['metrics.accuracy >= 0.9'],
      },
      {
        type: 'object',
        additionalProperties: false,
        required: ['check'],
        $comment: 'a map with "check" and "message"',
        properties: {
          check: {
            ...name,
            description: 'What must hold, such as metrics.accuracy >= params.floor.',
            examples: ['metrics.accuracy >= 0.9'],
          },
          message: { ...name, description: 'What to tell when it does not.' },
        },
      },
    ],
  },
} as const;

const stepProperties = {
  uses: {
    ...name,
    description:
      'The plugin: an installed package, or the short name of one of Joyul’s own; or a pipeline file, such as ./tune.yaml.',
    examples: ['train'],
  },
  description: { type: 'string' },
  with: { type: 'object', description: "The plugin's params, or those of the pipeline file." },
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
  gates,
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
  description: 'Capacity of named resources: an amount, or the names of devices that are lent one by one.',
  propertyNames: names,
  additionalProperties: {
    type: ['number', 'string', 'array'],
    minimum: 0,
    pattern: sizePattern,
    minItems: 1,
    items: {
      type: ['string', 'integer'],
      minLength: 1,
      $comment: 'the name of a device',
      examples: ['0'],
    },
    description: 'a number, a size such as 16GB, or a list of devices',
    examples: [1],
  },
} as const;

const inputs = {
  type: 'object',
  description: 'What a pipeline is given that is used as a step; its steps read it as `inputs.NAME`.',
  propertyNames: names,
  additionalProperties: {
    type: 'object',
    additionalProperties: false,
    required: ['type'],
    $comment: 'a map with "type"',
    properties: {
      type: { ...name, description: 'The type of the artifact.', examples: ['dataset'] },
      optional: { type: 'boolean', description: 'True for an input that may be left out.' },
      many: { type: 'boolean', description: 'True for an input that takes a list.' },
      description: { type: 'string' },
    },
  },
} as const;

const reference = {
  type: 'string',
  minLength: 1,
  $comment: 'a step and its port, such as train.trained',
  examples: ['train.trained'],
} as const;

const outputs = {
  type: 'object',
  description: 'What a pipeline gives that is used as a step: by name, a step inside and its port.',
  propertyNames: names,
  additionalProperties: {
    anyOf: [
      reference,
      {
        type: 'object',
        additionalProperties: false,
        required: ['from'],
        $comment: 'a map with "from" and "type"',
        properties: {
          from: reference,
          type: { ...name, description: 'The type of the artifact, which is checked.' },
          description: { type: 'string' },
        },
      },
    ],
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
      additionalProperties: {
        type: ['object', 'null'],
        additionalProperties: false,
        description: 'What changes in the step; nothing removes it.',
        properties: stepProperties,
      },
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
    inputs,
    outputs,
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
    steps: { type: 'object', minProperties: 1, propertyNames: stepNames, additionalProperties: step },
  },
} as const;
