/** Every code of a message about a pipeline: what it means. Codes are permanent: never renamed, never reused. */
export const catalogue = {
  YAML_SYNTAX: 'The file is not YAML.',
  YAML_ALIASES: 'Aliases expand to more than a pipeline can need.',
  FILE_UNREADABLE: 'The pipeline file cannot be read.',
  FILE_TOO_LARGE: 'The pipeline file is larger than a pipeline can need.',
  UNKNOWN_KEY: 'A key has no meaning in its place.',
  MISSING_KEY: 'A key that must be there is not.',
  WRONG_TYPE: 'A value has another type or range than it must have.',
  PARAM_TYPE: "A step's param has another type or range than its plugin takes.",
  PARAM_UNKNOWN: "A step's plugin has no such param.",
  PARAM_CHECK: "A step's params do not fit together.",
  PLUGIN_UNKNOWN: 'No installed package is the plugin that a step uses.',
  PLUGIN_INVALID: 'A package is not a step plugin.',
  EXPRESSION_SYNTAX: 'An expression cannot be read.',
  EXPRESSION_NAME: 'An expression uses a name that does not exist.',
  EXPRESSION_TYPE: 'An expression cannot be computed.',
  INPUT_UNKNOWN_PORT: "A step's plugin has no such input.",
  INPUT_MISSING: 'An input that a step needs is not wired.',
  INPUT_FORMAT: 'An input does not name a step and a port.',
  REFERENCE_STEP: 'An input names a step that does not exist.',
  REFERENCE_PORT: 'An input names a port that the other step does not have.',
  PORT_TYPE: 'Two ports that are wired have different types.',
  PORT_COUNT: 'A port that takes one artifact is given several.',
  CYCLE: 'Steps need each other in a circle.',
  MATRIX_EMPTY: 'A matrix has no instance.',
  SET_INVALID: 'A value given on the command line cannot be used.',
  PARAMS_FILE: 'The params file cannot be used.',
  TARGET_UNKNOWN: 'The command line names a step that does not exist.',
  PROFILE_UNKNOWN: 'The command line names a profile that does not exist.',
} as const;

/** A code of the catalogue. */
export type DiagnosticCode = keyof typeof catalogue;
