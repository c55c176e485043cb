import { expect, test } from 'vitest';
import type { CatalogueCode } from '../../src/diagnostics/catalogue.ts';
import { catalogue } from '../../src/diagnostics/catalogue.ts';
import type { LoadParts } from '../language/support.ts';
import { explain } from '../language/support.ts';

/** A mistake, and all that a user is told of it. */
interface Example {
  /** The pipeline, or its files by name; texts begin after their first line break. */
  readonly files: string | Readonly<Record<string, string | Uint8Array>>;
  readonly parts?: LoadParts;
  readonly text: string;
}

/** Told of package.json and not of a pipeline: the tests of the cache's settings show it. */
const elsewhere = 'CACHE_SETTING';

/** One mistake for each code; a code without one does not compile, and fails below. */
const examples: Readonly<Record<Exclude<CatalogueCode, typeof elsewhere>, Example>> = {
  FILE_UNREADABLE: {
    files: {},
    text: `
error FILE_UNREADABLE  There is no file p.yaml.
  help: Check the path.
`,
  },
  FILE_TOO_LARGE: {
    files: { 'p.yaml': new Uint8Array(12_500_000).fill(0x23) },
    text: `
error FILE_TOO_LARGE  p.yaml has 12.5 MB; a pipeline file has at most 10 MB.
  help: Put data into files that steps read.
`,
  },
  FILE_ENCODING: {
    files: { 'p.yaml': Uint8Array.of(0x6e, 0xff, 0xfe) },
    text: `
error FILE_ENCODING  p.yaml is not text in UTF-8.
  help: Save it as UTF-8.
`,
  },
  FILE_EMPTY: {
    files: `
# only a comment
`,
    text: `
p.yaml:1:1 error FILE_EMPTY  p.yaml has only comments.
    1 | # only a comment
      | ^
  help: Write \`name: my-pipeline\` and \`steps:\`, or make a project with \`joyul init\`.
`,
  },
  YAML_SYNTAX: {
    files: `
name: p
steps:
  a: { uses: prepare
`,
    text: `
p.yaml:3:6 error YAML_SYNTAX  This { is never closed.
    3 |   a: { uses: prepare
      |      ^
  help: Add a } where the value ends.
`,
  },
  YAML_TAB: {
    files: `
name: p
steps:
\ta: { uses: prepare }
`,
    text: `
p.yaml:3:1 error YAML_TAB  This line is indented with a tab, which YAML does not allow.
    3 |  a: { uses: prepare }
      | ^
  help: Indent with spaces.
`,
  },
  YAML_CHARACTER: {
    files: `
name: "a\u001b[31mb"
steps: {}
`,
    text: `
p.yaml:1:9 error YAML_CHARACTER  Here is the control character U+001B, which YAML does not allow.
    1 | name: "a�[31mb"
      |         ^
  help: Remove it, or write "\\u001B" in double quotes.
`,
  },
  YAML_DEPTH: {
    files: `
name: p
steps: ${'['.repeat(200)}${']'.repeat(200)}
`,
    text: `
p.yaml:2:107 error YAML_DEPTH  Lists and maps are nested more than 100 deep here.
    2 | [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
      |                                                   ^
  help: Look for a bracket that is never closed, or write the value in fewer levels.
`,
  },
  YAML_DUPLICATE_KEY: {
    files: `
name: p
steps:
  a: { uses: prepare }
  a: { uses: select }
`,
    text: `
p.yaml:4:3 error YAML_DUPLICATE_KEY  The key "a" stands twice in one map; only one of them could count.
    4 |   a: { uses: select }
      |   ^
  note: "a" stands first here.
  p.yaml:3:3
    3 |   a: { uses: prepare }
      |   ^
  help: Remove one of them, or rename it.
`,
  },
  YAML_KEY: {
    files: `
name: p
steps:
  [a, b]: { uses: prepare }
`,
    text: `
p.yaml:3:3 error YAML_KEY  A key must be a name, but is a list, a map or empty.
    3 |   [a, b]: { uses: prepare }
      |   ^^^^^^
  help: Write \`name: value\`.
`,
  },
  YAML_VALUE: {
    files: `
name: p
params: { rate: .nan }
steps: { a: { uses: prepare } }
`,
    text: `
p.yaml:2:17 error YAML_VALUE  .nan has no meaning in a pipeline.
    2 | params: { rate: .nan }
      |                 ^^^^
  help: Write a finite number, or put the text in quotes.
`,
  },
  YAML_ALIASES: {
    files: `
name: p
steps: { a: *common }
`,
    text: `
p.yaml:2:13 error YAML_ALIASES  The alias *common has no anchor &common before it.
    2 | steps: { a: *common }
      |             ^^^^^^^
  help: Write &common before the value that is meant.
`,
  },
  YAML_DOCUMENTS: {
    files: `
name: p
steps: { a: { uses: prepare } }
---
name: q
`,
    text: `
p.yaml:3:1 error YAML_DOCUMENTS  A second YAML document begins here; a pipeline file has one.
    3 | ---
      | ^^^
  help: Remove the \`---\`, or make a file of each document.
`,
  },
  YAML_EXPRESSION: {
    files: `
name: p
params: { epochs: 3 }
steps:
  a: { uses: prepare, with: { source: {{ params.epochs }} } }
`,
    text: `
p.yaml:4:39 error YAML_EXPRESSION  Without quotes and a dollar sign, {{ params.epochs }} is a map and not an expression.
    4 |   a: { uses: prepare, with: { source: {{ params.epochs }} } }
      |                                       ^^^^^^^^^^^^^^^^^^^
  help: Write "\${{ params.epochs }}".
`,
  },
  YAML_WORD: {
    files: `
name: p
params: { shuffle: yes }
steps: { a: { uses: prepare } }
`,
    text: `
p.yaml:2:20 warning YAML_WORD  The param "shuffle" is the text "yes" and not a truth value.
    2 | params: { shuffle: yes }
      |                    ^^^
  help: Write true or false, or put the text in quotes.
`,
  },
  INCLUDE_UNREADABLE: {
    files: `
name: p
steps:
  tune: { uses: ./tune.yaml }
`,
    text: `
p.yaml:3:17 error INCLUDE_UNREADABLE  There is no file tune.yaml.
    3 |   tune: { uses: ./tune.yaml }
      |                 ^^^^^^^^^^^
  help: Check the path.
`,
  },
  INCLUDE_CYCLE: {
    files: {
      'p.yaml': `
name: p
steps: { tune: { uses: ./tune.yaml } }
`,
      'tune.yaml': `
name: tune
steps: { back: { uses: ./p.yaml } }
`,
    },
    text: `
tune.yaml:2:24 error INCLUDE_CYCLE  p.yaml uses itself: p.yaml → tune.yaml → p.yaml.
    2 | steps: { back: { uses: ./p.yaml } }
      |                        ^^^^^^^^
  note: p.yaml names the next file here.
  p.yaml:2:24
    2 | steps: { tune: { uses: ./tune.yaml } }
      |                        ^^^^^^^^^^^
  help: Remove one of the links.
`,
  },
  INCLUDE_CONFLICT: {
    files: {
      'p.yaml': `
name: p
include: [more.yaml]
steps: { a: { uses: prepare } }
`,
      'more.yaml': `
steps: { a: { uses: select } }
`,
    },
    text: `
more.yaml:1:10 error INCLUDE_CONFLICT  The included step "a" exists already.
    1 | steps: { a: { uses: select } }
      |          ^
  note: "a" stands here too.
  p.yaml:3:10
    3 | steps: { a: { uses: prepare } }
      |          ^
  help: Rename one of them, or use \`extends\`, where the extending file wins.
`,
  },
  UNKNOWN_KEY: {
    files: `
name: p
steps:
  a: { uses: prepare, retrys: { attempts: 2 } }
`,
    text: `
p.yaml:3:23 error UNKNOWN_KEY  "steps.a" has no key "retrys".
    3 |   a: { uses: prepare, retrys: { attempts: 2 } }
      |                       ^^^^^^
  help: Did you mean "retry"?
`,
  },
  MISSING_KEY: {
    files: `
name: p
steps:
  a: { with: { source: data.csv } }
`,
    text: `
p.yaml:3:3 error MISSING_KEY  "steps.a" has no "uses", which must be a text that is not empty.
    3 |   a: { with: { source: data.csv } }
      |   ^
  help: Add \`uses: train\`.
`,
  },
  WRONG_TYPE: {
    files: `
name: p
steps:
  a: { uses: prepare, timeout: soon }
`,
    text: `
p.yaml:3:32 error WRONG_TYPE  "steps.a.timeout" must be a duration such as 30s, 10m or 2h, or a number of seconds, but is "soon".
    3 |   a: { uses: prepare, timeout: soon }
      |                                ^^^^
  help: Write a value such as \`timeout: 30m\`.
`,
  },
  NAME_INVALID: {
    files: `
name: p
steps:
  my step: { uses: prepare }
`,
    text: `
p.yaml:3:3 error NAME_INVALID  "my step" cannot be a name: it has a blank.
    3 |   my step: { uses: prepare }
      |   ^^^^^^^
  help: Write a name such as "my-step".
`,
  },
  SCHEDULE_INVALID: {
    files: `
name: p
schedule: { cron: "0 25 * * *" }
steps: { a: { uses: prepare } }
`,
    text: `
p.yaml:2:19 error SCHEDULE_INVALID  The cron expression has "25" as its hour, which goes from 0 to 23.
    2 | schedule: { cron: "0 25 * * *" }
      |                   ^^^^^^^^^^^^
  help: Write minute, hour, day of month, month, day of week: \`0 3 * * *\`.
`,
  },
  PARAM_TYPE: {
    files: `
name: p
steps:
  a: { uses: prepare, with: { source: 3 } }
`,
    text: `
p.yaml:3:39 error PARAM_TYPE  "source" must be a text, but is 3.
    3 |   a: { uses: prepare, with: { source: 3 } }
      |                                       ^
  help: Put it in quotes: \`source: "3"\`.
`,
  },
  PARAM_UNKNOWN: {
    files: `
name: p
steps:
  a: { uses: prepare, with: { sauce: data.csv } }
`,
    text: `
p.yaml:3:31 error PARAM_UNKNOWN  The step "a" has no param "sauce".
    3 |   a: { uses: prepare, with: { sauce: data.csv } }
      |                               ^^^^^
  help: The params are source.
`,
  },
  PARAM_MISSING: {
    files: `
name: p
params: { epochs: { type: integer, minimum: 1 } }
steps: { a: { uses: prepare } }
`,
    text: `
p.yaml:2:11 error PARAM_MISSING  The param "epochs" has no value: it is declared without a default.
    2 | params: { epochs: { type: integer, minimum: 1 } }
      |           ^^^^^^
  help: Give it with \`--set epochs=...\`, or add a default, which must be a whole number of at least 1.
`,
  },
  PARAM_VALUE: {
    files: {
      'p.yaml': `
name: p
params: { epochs: { type: integer, minimum: 1, default: 3 } }
steps: { a: { uses: prepare } }
`,
      'mine.yaml': `
epochs: 0
`,
    },
    parts: { paramsFile: 'mine.yaml' },
    text: `
mine.yaml:1:9 error PARAM_VALUE  The param "epochs" must be a whole number of at least 1, but is 0.
    1 | epochs: 0
      |         ^
  note: "epochs" is declared here.
  p.yaml:2:57
    2 | params: { epochs: { type: integer, minimum: 1, default: 3 } }
      |                                                         ^
  help: Write a value such as \`3\`.
`,
  },
  PARAM_CYCLE: {
    files: `
name: p
params:
  a: "\${{ params.b }}"
  b: "\${{ params.a }}"
steps: { a: { uses: prepare } }
`,
    text: `
p.yaml:3:6 error PARAM_CYCLE  Params need each other in a circle: a → b → a.
    3 |   a: "\${{ params.b }}"
      |      ^^^^^^^^^^^^^^^^^
  note: "b" is computed here.
  p.yaml:4:6
    4 |   b: "\${{ params.a }}"
      |      ^^^^^^^^^^^^^^^^^
  help: Write one of the values out.
`,
  },
  PLUGIN_UNKNOWN: {
    files: `
name: p
steps:
  a: { uses: prepair }
`,
    text: `
p.yaml:3:14 error PLUGIN_UNKNOWN  No installed package is the plugin "prepair".
    3 |   a: { uses: prepair }
      |              ^^^^^^^
  help: Did you mean "prepare"?
`,
  },
  PLUGIN_INVALID: {
    files: `
name: p
steps:
  a: { uses: broken }
`,
    text: `
p.yaml:3:14 error PLUGIN_INVALID  joyul-step-broken is installed, but its default export is not a step plugin.
    3 |   a: { uses: broken }
      |              ^^^^^^
  help: Update the package, or use another.
`,
  },
  EXPRESSION_SYNTAX: {
    files: `
name: p
steps:
  a: { uses: prepare, if: "run.seed = 3" }
`,
    text: `
p.yaml:3:37 error EXPRESSION_SYNTAX  Two values are compared with "==".
    3 |   a: { uses: prepare, if: "run.seed = 3" }
      |                                     ^
  help: Write \`==\`.
`,
  },
  EXPRESSION_NAME: {
    files: `
name: p
params: { epochs: 3 }
steps:
  a: { uses: prepare, with: { source: "\${{ params.epoch }}.csv" } }
`,
    text: `
p.yaml:4:51 error EXPRESSION_NAME  params has no "epoch".
    4 |   a: { uses: prepare, with: { source: "\${{ params.epoch }}.csv" } }
      |                                                   ^^^^^
  help: Did you mean "epochs"?
`,
  },
  EXPRESSION_TYPE: {
    files: `
name: p
steps:
  a:
    uses: prepare
    gates: ["metrics.accuracy >= 'high'"]
`,
    text: `
p.yaml:5:34 error EXPRESSION_TYPE  Here must be a number, but is "high".
    5 |     gates: ["metrics.accuracy >= 'high'"]
      |                                  ^^^^^^
`,
  },
  EXPRESSION_SECRET: {
    files: `
name: p
secrets: [TOKEN]
steps:
  a: { uses: prepare, with: { source: "x-\${{ secrets.TOKEN }}" } }
`,
    text: `
p.yaml:4:45 error EXPRESSION_SECRET  A secret cannot be put into a longer text.
    4 |   a: { uses: prepare, with: { source: "x-\${{ secrets.TOKEN }}" } }
      |                                             ^^^^^^^^^^^^^^^
  help: Let the whole value be \`\${{ secrets.NAME }}\`.
`,
  },
  MATRIX_EMPTY: {
    files: `
name: p
steps:
  a: { uses: prepare, matrix: { seed: [1], exclude: [{ seed: 1 }] } }
`,
    text: `
p.yaml:3:23 error MATRIX_EMPTY  The matrix of "a" has no instance.
    3 |   a: { uses: prepare, matrix: { seed: [1], exclude: [{ seed: 1 }] } }
      |                       ^^^^^^
  help: Give it an axis with values, and exclude fewer.
`,
  },
  MATRIX_AXIS: {
    files: `
name: p
steps:
  a: { uses: prepare, matrix: { seed: [1, 2], exclude: [{ sed: 1 }] } }
`,
    text: `
p.yaml:3:59 error MATRIX_AXIS  The matrix of "a" has no axis "sed".
    3 |   a: { uses: prepare, matrix: { seed: [1, 2], exclude: [{ sed: 1 }] } }
      |                                                           ^^^
  help: Did you mean "seed"?
`,
  },
  MATRIX_DUPLICATE: {
    files: `
name: p
steps:
  a: { uses: prepare, matrix: { rate: [1e-4, 0.0001] } }
`,
    text: `
p.yaml:3:23 error MATRIX_DUPLICATE  Two instances have the name "a@rate=1e-4".
    3 |   a: { uses: prepare, matrix: { rate: [1e-4, 0.0001] } }
      |                       ^^^^^^
  help: Remove the repeated value.
`,
  },
  MATRIX_TOO_LARGE: {
    files: `
name: p
steps:
  a:
    uses: prepare
    matrix:
      a: [1, 2, 3, 4, 5, 6, 7]
      b: [1, 2, 3, 4, 5, 6, 7]
      c: [1, 2, 3, 4, 5, 6, 7]
      d: [1, 2, 3, 4, 5, 6, 7]
      e: [1, 2, 3, 4, 5, 6, 7]
      f: [1, 2, 3, 4, 5, 6, 7]
`,
    text: `
p.yaml:5:5 error MATRIX_TOO_LARGE  The matrix of "a" has 117649 instances; at most 100000 can be run.
    5 |     matrix:
      |     ^^^^^^
  help: Use fewer values.
`,
  },
  POOL_UNKNOWN: {
    files: `
name: p
pools: { gpu: ["0", "1"] }
steps:
  a: { uses: prepare, resources: { gpus: 1 } }
`,
    text: `
p.yaml:4:36 error POOL_UNKNOWN  There is no pool "gpus".
    4 |   a: { uses: prepare, resources: { gpus: 1 } }
      |                                    ^^^^
  help: Did you mean "gpu"?
`,
  },
  POOL_EXCEEDED: {
    files: `
name: p
pools: { gpu: ["0", "1"] }
steps:
  a: { uses: prepare, resources: { gpu: 3 } }
`,
    text: `
p.yaml:4:41 error POOL_EXCEEDED  The step "a" takes 3 from the pool "gpu", which has 2.
    4 |   a: { uses: prepare, resources: { gpu: 3 } }
      |                                         ^
  help: Take at most 2, or raise \`pools.gpu\`.
`,
  },
  INPUT_FORMAT: {
    files: `
name: p
steps:
  a: { uses: prepare }
  b: { uses: select, inputs: { dataset: a } }
`,
    text: `
p.yaml:4:41 error INPUT_FORMAT  "a" does not name a step and a port.
    4 |   b: { uses: select, inputs: { dataset: a } }
      |                                         ^
  help: Write \`a.dataset\` or \`a.test\`.
`,
  },
  INPUT_UNKNOWN_PORT: {
    files: `
name: p
steps:
  a: { uses: prepare }
  b: { uses: select, inputs: { dataset: a.dataset, datset: a.dataset } }
`,
    text: `
p.yaml:4:52 error INPUT_UNKNOWN_PORT  The plugin "select" has no input "datset".
    4 |   b: { uses: select, inputs: { dataset: a.dataset, datset: a.dataset } }
      |                                                    ^^^^^^
  help: Did you mean "dataset"?
`,
  },
  INPUT_MISSING: {
    files: `
name: p
steps:
  a: { uses: prepare }
  b: { uses: select }
`,
    text: `
p.yaml:4:3 error INPUT_MISSING  The step "b" needs the input "dataset" of type "dataset", and nothing is wired to it.
    4 |   b: { uses: select }
      |   ^
  help: Add \`inputs: { dataset: a.dataset }\`.
`,
  },
  REFERENCE_STEP: {
    files: `
name: p
steps:
  prepare: { uses: prepare }
  b: { uses: select, inputs: { dataset: prepair.dataset } }
`,
    text: `
p.yaml:4:41 error REFERENCE_STEP  There is no step "prepair".
    4 |   b: { uses: select, inputs: { dataset: prepair.dataset } }
      |                                         ^^^^^^^^^^^^^^^
  help: Did you mean "prepare.dataset"?
`,
  },
  REFERENCE_INPUT: {
    files: {
      'p.yaml': `
name: p
steps:
  a: { uses: prepare }
  tune: { uses: ./tune.yaml, inputs: { dataset: a.dataset } }
`,
      'tune.yaml': `
name: tune
inputs: { dataset: { type: dataset } }
steps:
  b: { uses: select, inputs: { dataset: inputs.datset } }
`,
    },
    text: `
tune.yaml:4:41 error REFERENCE_INPUT  The pipeline has no input "datset".
    4 |   b: { uses: select, inputs: { dataset: inputs.datset } }
      |                                         ^^^^^^^^^^^^^
  help: Did you mean "inputs.dataset"?
`,
  },
  PIPELINE_INPUT: {
    files: `
name: tune
inputs: { dataset: { type: dataset } }
steps:
  b: { uses: select, inputs: { dataset: inputs.dataset } }
`,
    text: `
p.yaml:2:11 error PIPELINE_INPUT  The pipeline needs the input "dataset" of type "dataset", which only another pipeline can give.
    2 | inputs: { dataset: { type: dataset } }
      |           ^^^^^^^
  help: Use it as a step: \`uses: ./p.yaml\` with \`inputs: { dataset: step.port }\`; or make the input optional.
`,
  },
  REFERENCE_PORT: {
    files: `
name: p
steps:
  a: { uses: prepare }
  b: { uses: select, inputs: { dataset: a.datset } }
`,
    text: `
p.yaml:4:41 error REFERENCE_PORT  The step "a" has no output "datset".
    4 |   b: { uses: select, inputs: { dataset: a.datset } }
      |                                         ^^^^^^^^
  help: Did you mean "a.dataset"?
`,
  },
  PORT_TYPE: {
    files: {
      'p.yaml': `
name: p
steps:
  a: { uses: prepare }
  tune: { uses: ./tune.yaml, inputs: { dataset: a.test } }
`,
      'tune.yaml': `
name: tune
inputs: { dataset: { type: dataset } }
steps:
  b: { uses: select, inputs: { dataset: inputs.dataset } }
`,
    },
    text: `
p.yaml:4:49 error PORT_TYPE  The input "dataset" takes "dataset", but a.test gives "test-split".
    4 |   tune: { uses: ./tune.yaml, inputs: { dataset: a.test } }
      |                                                 ^^^^^^
  note: "dataset" is declared here.
  tune.yaml:2:11
    2 | inputs: { dataset: { type: dataset } }
      |           ^^^^^^^
  help: Wire "a.dataset" to "dataset".
`,
  },
  PORT_COUNT: {
    files: `
name: p
steps:
  a: { uses: prepare, matrix: { fold: [1, 2] } }
  b: { uses: select, inputs: { dataset: a.dataset } }
`,
    text: `
p.yaml:4:41 error PORT_COUNT  The input "dataset" takes one artifact, but a.dataset stands for 2 instances of "a".
    4 |   b: { uses: select, inputs: { dataset: a.dataset } }
      |                                         ^^^^^^^^^
  help: Give "b" a matrix with the axis "fold", or name one instance: \`a@fold=1.dataset\`.
`,
  },
  CYCLE: {
    files: `
name: p
steps:
  a: { uses: copy, inputs: { files: b.x }, with: { outputs: [x] } }
  b: { uses: copy, inputs: { files: a.x }, with: { outputs: [x] } }
`,
    text: `
p.yaml:3:37 error CYCLE  Steps need each other in a circle: a → b → a.
    3 |   a: { uses: copy, inputs: { files: b.x }, with: { outputs: [x] } }
      |                                     ^^^
  note: "b" needs "a" here.
  p.yaml:4:37
    4 |   b: { uses: copy, inputs: { files: a.x }, with: { outputs: [x] } }
      |                                     ^^^
  help: Remove one of these inputs.
`,
  },
  FILE_MISSING: {
    files: {
      'p.yaml': `
name: p
steps:
  a: { uses: prepare, with: { source: data/ticket.csv } }
`,
      'data/tickets.csv': `
`,
    },
    parts: { needsFiles: true },
    text: `
p.yaml:3:39 error FILE_MISSING  The step "a" reads data/ticket.csv, which does not exist in the project.
    3 |   a: { uses: prepare, with: { source: data/ticket.csv } }
      |                                       ^^^^^^^^^^^^^^^
  help: Did you mean "data/tickets.csv"?
`,
  },
  TARGET_UNKNOWN: {
    files: `
name: p
steps: { prepare: { uses: prepare } }
`,
    parts: { selection: { until: ['prepair'] } },
    text: `
error TARGET_UNKNOWN  The pipeline has no step "prepair".
  note: "prepare" is declared here.
  p.yaml:2:10
    2 | steps: { prepare: { uses: prepare } }
      |          ^^^^^^^
  help: Did you mean "prepare"?
`,
  },
  SET_INVALID: {
    files: `
name: p
params: { epochs: 3 }
steps: { a: { uses: prepare } }
`,
    parts: { set: ['epoch=4'] },
    text: `
error SET_INVALID  --set epoch: the pipeline has no param "epoch".
  help: Did you mean "epochs"?
`,
  },
  PARAMS_FILE: {
    files: {
      'p.yaml': `
name: p
params: { epochs: 3 }
steps: { a: { uses: prepare } }
`,
      'mine.yaml': `
epoch: 4
`,
    },
    parts: { paramsFile: 'mine.yaml' },
    text: `
mine.yaml:1:1 error PARAMS_FILE  The pipeline has no param "epoch".
    1 | epoch: 4
      | ^^^^^
  help: Did you mean "epochs"?
`,
  },
  PROFILE_UNKNOWN: {
    files: `
name: p
profiles: { quick: { seed: 1 } }
steps: { a: { uses: prepare } }
`,
    parts: { profile: 'quik' },
    text: `
error PROFILE_UNKNOWN  The pipeline has no profile "quik".
  help: Did you mean "quick"?
`,
  },
};

const startAfterBreak = (content: string | Uint8Array): string | Uint8Array =>
  typeof content === 'string' ? content.slice(1) : content;

test.each(Object.entries(examples))('%s is told as people read it', async (code, { files, parts, text }) => {
  const written =
    typeof files === 'string'
      ? files.slice(1)
      : Object.fromEntries(Object.entries(files).map(([name, content]) => [name, startAfterBreak(content)]));
  const told = await explain(written, parts);
  expect(told).toBe(text);
  expect(told).toContain(`${code}  `);
});

test('every code of the catalogue has an example', () => {
  expect([...Object.keys(examples), elsewhere].sort()).toEqual(Object.keys(catalogue).sort());
});

test('a mistake says what to type, or where to look', () => {
  const silent = Object.entries(examples).filter(([, { text }]) => !/\n {2}(help|note): /.test(text));
  expect(silent.map(([code]) => code)).toEqual(['EXPRESSION_TYPE']);
});
