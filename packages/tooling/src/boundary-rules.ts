/** Which package may import which; a name that is missing here may import nothing of the workspace. */
export const packageArrows: Readonly<Record<string, readonly string[]>> = {
  'plugin-api': [],
  sources: ['plugin-api'],
  metrics: [],
  compute: ['plugin-api', 'sources'],
  data: ['plugin-api', 'sources'],
  models: ['compute', 'plugin-api', 'sources'],
  training: ['compute', 'data', 'metrics', 'models', 'plugin-api', 'sources'],
  serve: ['compute', 'data', 'models', 'plugin-api', 'training'],
  core: ['plugin-api'],
  testing: ['cli', 'core', 'models', 'plugin-api'],
  cli: ['core', 'compute', 'serve', 'sources', 'plugin-api'],
  ui: ['core'],
  tooling: [],
};

/** What every step plugin may import: never the engine, the command line or another step. */
export const stepArrows: readonly string[] = [
  'compute',
  'data',
  'metrics',
  'models',
  'plugin-api',
  'sources',
  'training',
];

/** What tests may import beside what their package may. */
export const testArrows: readonly string[] = ['testing', 'compute', 'data', 'models', 'training', 'core'];

/**
 * Folders of the engine, in the order in which data flows, and what each may import.
 * `diagnostics` and `util` are open to all; files beside the folders, which join them, import anything.
 */
export const coreArrows: Readonly<Record<string, readonly string[]>> = {
  diagnostics: [],
  util: [],
  graph: [],
  timing: ['graph'],
  language: ['graph', 'timing'],
  store: [],
  events: [],
  plan: ['language', 'graph', 'store', 'events'],
  execute: ['graph', 'plan', 'store', 'events'],
  runs: ['events'],
  explain: ['graph', 'plan', 'store', 'events', 'runs'],
  report: ['runs', 'events'],
  cache: ['language', 'plan', 'store', 'events', 'runs'],
  schedule: ['graph', 'language', 'timing'],
};
