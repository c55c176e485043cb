import { Rig } from '@joyul/testing';
import { describe, expect, test } from 'vitest';

const data = 'text,label\nwhere is my card,card\n';

/** A pipeline of commands; `steps` are its lines from the third on. */
const withSteps = (steps: string): string => `name: words\nsteps:\n${steps}`;
const good = withSteps('  say: { uses: command, with: { run: "true", reads: [data.csv] } }\n');

/** A mistake that people make, and what they are told: in words, and the same for programs. */
interface Mistake {
  readonly text: string;
  readonly args?: readonly string[];
  readonly told: string;
  readonly json: Readonly<Record<string, unknown>>;
}

const mistakes: Readonly<Record<string, Mistake>> = {
  syntax: {
    text: withSteps('  say: { uses: command, with: { run: "true" }\n  end: { uses: command }\n'),
    told: `pipeline.yaml:3:8 error YAML_SYNTAX  This { is never closed.
    3 |   say: { uses: command, with: { run: "true" }
      |        ^
  help: Add a } where the value ends.
`,
    json: { code: 'YAML_SYNTAX', line: 3, column: 8, endLine: 3, endColumn: 9 },
  },
  'unknown key': {
    text: withSteps('  say: { uses: command, with: { run: "true" }, dependson: [x] }\n'),
    told: `pipeline.yaml:3:48 error UNKNOWN_KEY  "steps.say" has no key "dependson".
    3 |   say: { uses: command, with: { run: "true" }, dependson: [x] }
      |                                                ^^^^^^^^^
  help: The keys are uses, description, with, inputs, if, matrix, retry, timeout, resources, cache, environment, gates.
`,
    json: { code: 'UNKNOWN_KEY', line: 3, column: 48, endColumn: 57 },
  },
  'wrong type': {
    text: withSteps('  say: { uses: command, with: { run: 3 } }\n'),
    told: `pipeline.yaml:3:38 error PARAM_TYPE  "run" must be a text that is not empty or a list with a length of at least 1, but is 3.
    3 |   say: { uses: command, with: { run: 3 } }
      |                                      ^
  help: Write a value such as \`run: python train.py --out model\`.
`,
    json: { code: 'PARAM_TYPE', line: 3, column: 38, endColumn: 39 },
  },
  cycle: {
    text: withSteps(
      '  a: { uses: command, with: { run: "true", outputs: { x: a } }, inputs: { inputs: b.x } }\n  b: { uses: command, with: { run: "true", outputs: { x: b } }, inputs: { inputs: a.x } }\n',
    ),
    told: `pipeline.yaml:3:83 error CYCLE  Steps need each other in a circle: a → b → a.
    3 |   a: { uses: command, with: { run: "true", outputs: { x: a } }, inputs: { inputs: b.x } }
      |                                                                                   ^^^
  note: "b" needs "a" here.
  pipeline.yaml:4:83
    4 |   b: { uses: command, with: { run: "true", outputs: { x: b } }, inputs: { inputs: a.x } }
      |                                                                                   ^^^
  help: Remove one of these inputs.
`,
    json: { code: 'CYCLE', line: 3, column: 83, notes: [{ file: 'pipeline.yaml', line: 4, column: 83 }] },
  },
  'a step that does not exist': {
    text: withSteps(
      '  say: { uses: command, with: { run: "true", outputs: { x: a } } }\n  end: { uses: command, with: { run: "true" }, inputs: { inputs: sya.x } }\n',
    ),
    told: `pipeline.yaml:4:66 error REFERENCE_STEP  There is no step "sya".
    4 |   end: { uses: command, with: { run: "true" }, inputs: { inputs: sya.x } }
      |                                                                  ^^^^^
  help: Did you mean "say.x"?
`,
    json: { code: 'REFERENCE_STEP', line: 4, column: 66, endColumn: 71, help: 'Did you mean "say.x"?' },
  },
  'a missing input file': {
    text: good.replace('data.csv', 'date.csv'),
    told: `pipeline.yaml:3:54 error FILE_MISSING  The step "say" reads date.csv, which does not exist in the project.
    3 |   say: { uses: command, with: { run: "true", reads: [date.csv] } }
      |                                                      ^^^^^^^^
  help: Did you mean "data.csv"?
`,
    json: { code: 'FILE_MISSING', line: 3, column: 54, endColumn: 62 },
  },
  'an unknown target': {
    text: good,
    args: ['--until', 'sya'],
    told: `error TARGET_UNKNOWN  The pipeline has no step "sya".
  note: "say" is declared here.
  pipeline.yaml:3:3
    3 |   say: { uses: command, with: { run: "true", reads: [data.csv] } }
      |   ^^^
  help: Did you mean "say"?
`,
    json: { code: 'TARGET_UNKNOWN', notes: [{ line: 3, column: 3 }], help: 'Did you mean "say"?' },
  },
};

describe.each(Object.entries(mistakes))('%s', (_, { text, args = [], told, json }) => {
  test('is told by validate, in words and for programs, and no step runs', async () => {
    await using rig = await Rig.create();
    await rig.write({ 'pipeline.yaml': text, 'data.csv': data });
    const [inWords, forPrograms, run] = await Promise.all([
      rig.joyul('validate', ...args),
      rig.joyul('validate', '--json', ...args),
      rig.joyul('run', '--json', ...args),
    ]);
    expect([inWords.exitCode, inWords.stdout, inWords.stderr]).toEqual([2, '', `${told}\n1 error\n`]);
    expect([forPrograms.exitCode, forPrograms.stderr]).toEqual([2, '']);
    const found = JSON.parse(forPrograms.stdout) as readonly unknown[]; // The command's own format.
    expect(found).toMatchObject([
      { severity: 'error', ...('line' in json ? { file: 'pipeline.yaml' } : {}), ...json },
    ]);
    expect(run.exitCode).toBe(2);
    expect(JSON.parse(run.stdout)).toEqual(found);
    expect(rig.has('.joyul/runs')).toBe(false);
  });
});

test('mistakes of several steps and files are told at once', async () => {
  await using rig = await Rig.create();
  await rig.write({
    'pipeline.yaml': withSteps(
      '  a: { uses: comand }\n  b: { uses: command, with: { rnu: "true" } }\n  c: { uses: ./more.yaml }\n',
    ),
    'more.yaml': withSteps('  d: { uses: command, with: { run: "true" }, inputs: { inputs: nothing.x } }\n'),
  });
  const { stderr } = await rig.joyul('validate');
  const codes = [...stderr.matchAll(/^(\S+) error (\w+)/gm)].map(
    ([, place, code]) => `${place ?? ''} ${code ?? ''}`,
  );
  expect(codes).toEqual([
    'pipeline.yaml:3:14 PLUGIN_UNKNOWN',
    'pipeline.yaml:4:23 MISSING_KEY',
    'pipeline.yaml:4:31 PARAM_UNKNOWN',
    'more.yaml:3:64 REFERENCE_STEP',
  ]);
  expect(stderr.endsWith('\n4 errors\n')).toBe(true);
});

test('a file that is made to be used is valid by itself, and cannot be run', async () => {
  await using rig = await Rig.create();
  await rig.write({
    'part.yaml': `name: part\ninputs: { text: { type: files } }\nsteps:\n  a: { uses: command, with: { run: "true" }, inputs: { inputs: inputs.text } }\n`,
  });
  const checked = await rig.joyul('validate', 'part.yaml');
  expect([checked.exitCode, checked.stdout]).toEqual([0, 'part.yaml is valid: 1 step.\n']);
  const run = await rig.joyul('run', 'part.yaml');
  expect([run.exitCode, run.stderr]).toEqual([
    2,
    `part.yaml:2:11 error PIPELINE_INPUT  The pipeline needs the input "text" of type "files", which only another pipeline can give.
    2 | inputs: { text: { type: files } }
      |           ^^^^
  help: Use it as a step: \`uses: ./part.yaml\` with \`inputs: { text: step.port }\`; or make the input optional.

1 error
`,
  ]);
});

test('a pipeline that is used runs, is reused, and can be chosen step by step', async () => {
  await using rig = await Rig.create();
  await rig.write({
    'pipeline.yaml': `
name: main
steps:
  text: { uses: command, with: { run: "echo one > out.txt", outputs: { file: out.txt } } }
  count:
    uses: ./lib/count.yaml
    matrix: { of: [c, w] }
    with: { of: "\${{ matrix.of }}" }
    inputs: { text: text.file }
  all: { uses: command, with: { run: "cat $JOYUL_INPUT_0/file $JOYUL_INPUT_1/file > all.txt", outputs: { file: all.txt } }, inputs: { inputs: count.counted } }
`,
    'lib/count.yaml': `
name: count
params: { of: { enum: [c, w] } }
inputs: { text: { type: files } }
outputs: { counted: wc.file }
steps:
  wc: { uses: command, with: { run: "wc -\${{ params.of }} < $JOYUL_INPUT_0/file > \${{ params.of }}.txt", outputs: { file: "\${{ params.of }}.txt" } }, inputs: { inputs: inputs.text } }
`,
  });
  const first = await rig.run();
  expect([...first.ran].sort()).toEqual(['all', 'count@of=c/wc', 'count@of=w/wc', 'text']);
  expect(await rig.read('all.txt')).toBe('4\n1\n');
  expect((await rig.run('--only', 'count')).reused).toHaveLength(2);
  expect((await rig.run('--until', 'count@of=w/wc,text', '--force')).ran).toEqual(['text', 'count@of=w/wc']);
  const why = await rig.joyul('why', 'count@of=w', '--json');
  expect(JSON.parse(why.stdout)).toMatchObject({ step: { stepId: 'count@of=w/wc', action: 'reuse' } });
  expect(JSON.parse((await rig.joyul('why', 'count', '--json')).stdout)).toHaveLength(2);
});

test('work that was done alone is not done again where its pipeline is used', async () => {
  await using rig = await Rig.create();
  await rig.write({
    'part.yaml': `
name: part
steps:
  draw: { uses: command, with: { run: "echo $JOYUL_SEED > seed.txt", outputs: { seed: seed.txt } } }
`,
    'pipeline.yaml': `
name: main
steps:
  one: { uses: ./part.yaml }
  two: { uses: ./part.yaml }
`,
  });
  expect((await rig.joyul('run', 'part.yaml', '--json')).ran).toEqual(['draw']);
  const used = await rig.run();
  expect([used.ran, [...used.reused].sort()]).toEqual([[], ['one/draw', 'two/draw']]);
});
