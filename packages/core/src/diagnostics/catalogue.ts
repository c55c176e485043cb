/** What a code says, for the reference page and for people who look it up. */
export interface CatalogueEntry {
  /** A few words. */
  readonly title: string;
  /** One sentence: when this is told. */
  readonly meaning: string;
  /** One sentence: what mends it. */
  readonly help: string;
}

const entry = (title: string, meaning: string, help: string): CatalogueEntry => ({ title, meaning, help });

/** Every code of a message about a pipeline. Codes are permanent: never renamed, never reused. */
export const catalogue = {
  FILE_UNREADABLE: entry(
    'File cannot be read',
    'The pipeline file is missing or cannot be read.',
    'Check the path, or make a project with `joyul init`.',
  ),
  FILE_TOO_LARGE: entry(
    'File is too large',
    'The pipeline file is larger than a pipeline can need.',
    'Put data into files that steps read.',
  ),
  FILE_ENCODING: entry('File is not UTF-8', 'The file has bytes that are not UTF-8.', 'Save it as UTF-8.'),
  FILE_EMPTY: entry(
    'File is empty',
    'The file has no content, or only comments.',
    'Write a pipeline with `name` and `steps`.',
  ),
  YAML_SYNTAX: entry(
    'YAML syntax',
    'The file is not YAML.',
    'Mend the place that the message shows; often a quote or an indent.',
  ),
  YAML_TAB: entry(
    'Tab as indent',
    'A line is indented with a tab, which YAML does not allow.',
    'Indent with spaces.',
  ),
  YAML_CHARACTER: entry(
    'Control character',
    'The file has a character that YAML does not allow, such as NUL or an escape.',
    'Remove the character.',
  ),
  YAML_DEPTH: entry(
    'Nested too deeply',
    'Lists and maps are nested deeper than a pipeline can need.',
    'Close the brackets, or write the value in fewer levels.',
  ),
  YAML_DUPLICATE_KEY: entry(
    'Key stands twice',
    'One map has the same key twice; only one of them could count.',
    'Remove one of them, or rename it.',
  ),
  YAML_KEY: entry('Key is not text', 'A key of a map is a list, a map or empty.', 'Write a name as the key.'),
  YAML_VALUE: entry(
    'Value has no JSON form',
    'A value such as .nan, or one with a tag, has no meaning in a pipeline.',
    'Write a number, a text, true, false, null, a list or a map.',
  ),
  YAML_ALIASES: entry(
    'Aliases expand too far',
    'Aliases expand to more than a pipeline can need, or name no anchor.',
    'Write the values out, or use params.',
  ),
  YAML_DOCUMENTS: entry(
    'Several documents',
    'The file has more than one YAML document.',
    'Make a file of each document, and remove the `---` between them.',
  ),
  YAML_EXPRESSION: entry(
    'Braces without a dollar sign',
    'Unquoted `{{ }}` is a YAML map, not an expression.',
    'Write "${{ ... }}" in quotes.',
  ),
  YAML_WORD: entry(
    'A word that looks like true or false',
    'yes, no, on and off are texts in YAML 1.2.',
    'Write true or false, or put the text in quotes.',
  ),
  INCLUDE_UNREADABLE: entry(
    'Named file cannot be read',
    'A file that `include`, `extends` or `uses` names is missing or cannot be read.',
    'Check the path; it is relative to the file that names it.',
  ),
  INCLUDE_CYCLE: entry(
    'Files name each other',
    'A file includes, extends or uses itself, directly or through others.',
    'Remove one of the links.',
  ),
  INCLUDE_CONFLICT: entry(
    'Included twice',
    'Two files that are put together define the same name.',
    'Rename one of them, or use `extends`, where the extending file wins.',
  ),
  UNKNOWN_KEY: entry(
    'Unknown key',
    'A key has no meaning in its place.',
    'Use one of the keys that the message names.',
  ),
  MISSING_KEY: entry('Missing key', 'A key that must be there is not.', 'Add the key.'),
  WRONG_TYPE: entry(
    'Wrong value',
    'A value has another type or range than it must have.',
    'Write a value of the kind that the message names.',
  ),
  NAME_INVALID: entry(
    'Name has a forbidden character',
    'A name of a step, param, axis, pool, input or output has a blank, an invisible character or one of . @ , = / " { } [ ].',
    'Use letters, digits, - and _.',
  ),
  SCHEDULE_INVALID: entry(
    'Schedule cannot be read',
    'A cron expression, a time zone, a date or a duration of a schedule is not valid.',
    'Write five cron fields, or six with seconds, and an IANA time zone.',
  ),
  PARAM_TYPE: entry(
    'Wrong param of a step',
    "A step's param has another type or range than its plugin takes.",
    'Write a value of the kind that the message names.',
  ),
  PARAM_UNKNOWN: entry(
    'Unknown param of a step',
    "A step's plugin has no such param.",
    'Use one of the params that the message names.',
  ),
  PARAM_MISSING: entry(
    'Param without a value',
    'A param is declared without a default, and nothing gives it a value.',
    'Give it with `--set name=value`, or add a default.',
  ),
  PARAM_VALUE: entry(
    'Param does not fit its declaration',
    'A value of a param has another type or range than is declared under `params`.',
    'Give a value that fits.',
  ),
  PARAM_CYCLE: entry(
    'Params need each other',
    'The expressions of params use each other in a circle.',
    'Write one of the values out.',
  ),
  PLUGIN_UNKNOWN: entry(
    'Plugin is not installed',
    'No installed package is the plugin that a step uses.',
    'Install the package, or correct the name.',
  ),
  PLUGIN_INVALID: entry('Not a plugin', 'A package is not a step plugin.', 'Update the package.'),
  EXPRESSION_SYNTAX: entry(
    'Expression cannot be read',
    'The text between ${{ and }} is not an expression.',
    'Mend the place that the message shows.',
  ),
  EXPRESSION_NAME: entry(
    'Unknown name in an expression',
    'An expression uses a name that does not exist.',
    'Use a name that is declared.',
  ),
  EXPRESSION_TYPE: entry(
    'Expression cannot be computed',
    'An operator or a function does not take these values.',
    'Change the values or the operator.',
  ),
  EXPRESSION_SECRET: entry(
    'Secret inside an expression',
    'A secret is not known when the pipeline is read, so that nothing can be computed from it.',
    'Let the whole value be the secret.',
  ),
  MATRIX_EMPTY: entry(
    'Matrix without instances',
    'A matrix has no instance.',
    'Give it an axis with values, and exclude fewer.',
  ),
  MATRIX_AXIS: entry(
    'Unknown axis',
    'An entry of `exclude` names an axis that the matrix does not have.',
    'Use one of the axes that the message names.',
  ),
  MATRIX_DUPLICATE: entry(
    'Two instances with one name',
    'Two instances of a matrix have the same values.',
    'Remove the repeated value.',
  ),
  MATRIX_TOO_LARGE: entry(
    'Too many steps',
    'A matrix, or the whole pipeline, has more instances than can be run.',
    'Use fewer values, or exclude some.',
  ),
  POOL_UNKNOWN: entry(
    'Unknown resource pool',
    'A step takes from a pool that does not exist.',
    'Declare it under `pools`.',
  ),
  POOL_EXCEEDED: entry(
    'More than a pool has',
    'A step takes more from a pool than it holds.',
    'Take less, or raise the pool.',
  ),
  INPUT_FORMAT: entry(
    'Not a reference',
    'An input does not name a step and a port.',
    'Write `step.port`, such as `prepare.dataset`.',
  ),
  INPUT_UNKNOWN_PORT: entry(
    'Unknown input',
    "A step's plugin has no such input.",
    'Use one of the inputs that the message names.',
  ),
  INPUT_MISSING: entry('Input is not wired', 'An input that a step needs is not wired.', 'Wire it.'),
  REFERENCE_STEP: entry(
    'Unknown step',
    'An input names a step that does not exist.',
    'Use the name of a step of this pipeline.',
  ),
  REFERENCE_INPUT: entry(
    'Unknown input of the pipeline',
    'A step reads `inputs.NAME`, and the pipeline declares no such input.',
    'Use one of the inputs that the message names, or declare it under `inputs`.',
  ),
  PIPELINE_INPUT: entry(
    'Pipeline needs an input',
    'A pipeline that is made to be used by another one, because it needs an input, is run by itself.',
    'Use it as a step of another pipeline, or make the input optional.',
  ),
  FILE_MISSING: entry(
    'Input file is not there',
    'A step reads a file that does not exist, and that no step before it writes.',
    'Correct the path, or wire the step to the one that writes the file.',
  ),
  REFERENCE_PORT: entry(
    'Unknown output',
    'An input names a port that the other step does not have.',
    'Use one of the outputs that the message names.',
  ),
  PORT_TYPE: entry(
    'Ports do not fit',
    'Two ports that are wired have different types.',
    'Wire an output of the same type.',
  ),
  PORT_COUNT: entry(
    'Several artifacts for one',
    'A port that takes one artifact is given several, or none.',
    'Give the step the same matrix axis, or name one instance.',
  ),
  CYCLE: entry('Steps in a circle', 'Steps need each other in a circle.', 'Remove one of these inputs.'),
  SET_INVALID: entry(
    'Value on the command line',
    'A value given with --set cannot be used.',
    'Write --set name=value or --set steps.STEP.with.PARAM=value.',
  ),
  PARAMS_FILE: entry('Params file', 'The params file cannot be used.', 'Write one `name: value` a line.'),
  PROFILE_UNKNOWN: entry(
    'Unknown profile',
    'The command line names a profile that does not exist.',
    'Use one of the profiles that the message names.',
  ),
  TARGET_UNKNOWN: entry(
    'Unknown target',
    'The command line names a step that does not exist.',
    'Use the name of a step of this pipeline.',
  ),
  CACHE_SETTING: entry(
    'Setting of the cache',
    'A limit of the cache, in package.json or in the environment, cannot be used.',
    'Write {"joyul": {"cache": {"maxSize": "50GB", "maxAge": "60d", "keepRuns": 20}}} in package.json.',
  ),
} as const satisfies Readonly<Record<string, CatalogueEntry>>;

/** A code of the catalogue. */
export type CatalogueCode = keyof typeof catalogue;

/** A code of the catalogue, or a plugin's own, such as `train/WARMUP_TOO_LONG`. */
export type DiagnosticCode = CatalogueCode | `${string}/${string}`;
