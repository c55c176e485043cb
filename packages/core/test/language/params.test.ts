import { describe, expect, test } from 'vitest';
import type { LoadParts } from './support.ts';
import { explain, graphOf, load } from './support.ts';

const pipeline = (params: string): string => `name: p\nparams:\n${params}\nsteps: { a: { uses: prepare } }\n`;

/** The params of a pipeline after everything that changes them. */
async function resolve(params: string, file?: string, parts: LoadParts = {}): Promise<unknown> {
  const files = { 'p.yaml': pipeline(params), ...(file === undefined ? {} : { 'my.yaml': file }) };
  return (await graphOf(files, { ...(file === undefined ? {} : { paramsFile: 'my.yaml' }), ...parts }))
    .params;
}

const typed = `  text: { type: string, default: a, minLength: 1, maxLength: 3, pattern: "^[a-z]+$" }
  whole: { type: integer, default: 1, minimum: 1, maximum: 10 }
  number: { type: number, default: 0.5, exclusiveMinimum: 0, exclusiveMaximum: 1 }
  flag: { type: boolean, default: true }
  list: { type: array, default: [1], items: { type: integer, minimum: 0 }, minItems: 1, maxItems: 2, uniqueItems: true }
  map: { type: object, default: { a: 1 }, properties: { a: { type: integer } }, required: [a], additionalProperties: false }
  choice: { enum: [adam, sgd, 3], default: adam }
  size: { type: integer, default: 8, multipleOf: 4, description: A batch., title: Batch, examples: [16] }`;

describe('types', () => {
  test('every type has its default, and a params file in YAML changes it', async () => {
    expect(await resolve(typed)).toEqual({
      text: 'a',
      whole: 1,
      number: 0.5,
      flag: true,
      list: [1],
      map: { a: 1 },
      choice: 'adam',
      size: 8,
    });
    expect(
      await resolve(
        typed,
        'text: abc\nwhole: 10\nnumber: 0.25\nflag: false\nlist: [2, 3]\nmap: { a: 2 }\nchoice: 3\nsize: 12\n',
      ),
    ).toEqual({
      text: 'abc',
      whole: 10,
      number: 0.25,
      flag: false,
      list: [2, 3],
      map: { a: 2 },
      choice: 3,
      size: 12,
    });
  });

  test('a params file may be JSON', async () => {
    expect(await resolve(typed, '{\n\t"text": "b",\n\t"list": [5],\n\t"flag": false\n}\n')).toMatchObject({
      text: 'b',
      list: [5],
      flag: false,
    });
  });

  test.each([
    [
      'text: ""',
      'text',
      'a text that is not empty and of a length of at most 3 and that matches ^[a-z]+$',
      '""',
    ],
    [
      'text: ABC',
      'text',
      'a text that is not empty and of a length of at most 3 and that matches ^[a-z]+$',
      '"ABC"',
    ],
    [
      'text: 3',
      'text',
      'a text that is not empty and of a length of at most 3 and that matches ^[a-z]+$',
      '3',
    ],
    ['whole: 0', 'whole', 'a whole number of at least 1 and at most 10', '0'],
    ['whole: 11', 'whole', 'a whole number of at least 1 and at most 10', '11'],
    ['whole: 1.5', 'whole', 'a whole number of at least 1 and at most 10', '1.5'],
    ['whole: "3"', 'whole', 'a whole number of at least 1 and at most 10', '"3"'],
    ['number: 0', 'number', 'a number above 0 and below 1', '0'],
    ['number: 1', 'number', 'a number above 0 and below 1', '1'],
    ['flag: yes', 'flag', 'true or false', '"yes"'],
    ['flag: 1', 'flag', 'true or false', '1'],
    [
      'list: []',
      'list',
      'a list with a length of at least 1 and with a length of at most 2 without repeated items',
      'an empty list',
    ],
    [
      'list: 3',
      'list',
      'a list with a length of at least 1 and with a length of at most 2 without repeated items',
      '3',
    ],
    ['map: [1]', 'map', 'a map of keys', 'a list of 1 item'],
    ['choice: adm', 'choice', 'one of "adam", "sgd" or 3', '"adm"'],
    ['size: 10', 'size', 'a whole number that is a multiple of 4', '10'],
  ])('%s is refused', async (line, name, must, found) => {
    const { diagnostics } = await load(
      { 'p.yaml': pipeline(typed), 'my.yaml': `${line}\n` },
      { paramsFile: 'my.yaml' },
    );
    expect(diagnostics.map(({ code, message }) => `${code} ${message}`)).toEqual([
      `PARAM_VALUE The param "${name}" must be ${must}, but is ${found}.`,
    ]);
  });

  test('what is wrong inside of a list or a map is told with its own place', async () => {
    const files = { 'p.yaml': pipeline(typed), 'my.yaml': 'list: [1, -1]\nmap:\n  b: 1\n' };
    expect(await explain(files, { paramsFile: 'my.yaml' })).toBe(`
my.yaml:1:11 error PARAM_VALUE  "list[1]" must be a whole number of at least 0, but is -1.
    1 | list: [1, -1]
      |           ^^
  note: "list" is declared here.
  p.yaml:7:33
    7 |   list: { type: array, default: [1], items: { type: integer, minimum: 0 }, minItems: 1, maxItems: 2,
      |                                 ^^^
  help: Write a value such as \`0\`.

my.yaml:2:1 error MISSING_KEY  The param "map" has no "a", which must be a whole number.
    2 | map:
      | ^^^
  note: "map" is declared here.
  p.yaml:8:33
    8 |   map: { type: object, default: { a: 1 }, properties: { a: { type: integer } }, required: [a], addit
      |                                 ^^^^^^^^
  help: Add \`a: ...\`.

my.yaml:3:3 error PARAM_VALUE  The param "map" has no key "b".
    3 |   b: 1
      |   ^
  note: "map" is declared here.
  p.yaml:8:33
    8 |   map: { type: object, default: { a: 1 }, properties: { a: { type: integer } }, required: [a], addit
      |                                 ^^^^^^^^
  help: Did you mean "a"?
`);
  });

  test('a default that does not fit is told where it stands', async () => {
    expect(await explain(pipeline('  n: { type: integer, default: three }'))).toBe(`
p.yaml:3:32 error PARAM_VALUE  The param "n" must be a whole number, but is "three".
    3 |   n: { type: integer, default: three }
      |                                ^^^^^
`);
  });

  test('a param without a declaration keeps the type of a number or a truth value', async () => {
    const files = { 'p.yaml': pipeline('  n: 3\n  f: true\n  t: a'), 'my.yaml': 'n: a\nf: 1\nt: 5\n' };
    const { diagnostics } = await load(files, { paramsFile: 'my.yaml' });
    expect(diagnostics.map(({ message }) => message)).toEqual([
      'The param "n" must be a number, but is "a".',
      'The param "f" must be true or false, but is 1.',
    ]);
  });
});

describe('declarations', () => {
  test.each([
    [
      '{ type: int, default: 3 }',
      '"params.n.type" must be one of "string", "number", "integer", "boolean", "array" or "object", but is "int".',
      'Write `type: integer`.',
    ],
    [
      '{ type: integr, default: 3 }',
      '"params.n.type" must be one of "string", "number", "integer", "boolean", "array" or "object", but is "integr".',
      'Did you mean "integer"?',
    ],
    ['{ type: integer, minimun: 1 }', '"params.n" has no key "minimun".', 'Did you mean "minimum"?'],
    ['{ type: integer, minimum: one }', '"params.n.minimum" must be a number, but is "one".', undefined],
    [
      '{ enum: [] }',
      '"params.n.enum" must be a list with a length of at least 1, but is an empty list.',
      undefined,
    ],
    [
      '{ type: string, pattern: "[" }',
      '"params.n.pattern" must be a regular expression, but "[" is none: Unterminated character class.',
      'Write a pattern such as `^[a-z]+$`.',
    ],
    [
      '{ type: array, items: { type: string, pattern: "(" } }',
      '"params.n.items.pattern" must be a regular expression, but "(" is none: Unterminated group.',
      'Write a pattern such as `^[a-z]+$`.',
    ],
  ])('%s is told', async (declaration, message, help) => {
    const { diagnostics } = await load(pipeline(`  n: ${declaration}`));
    expect(diagnostics.map((found) => [found.message, found.help])).toEqual([[message, help]]);
  });

  test.each(['{ type: bert, layers: 3 }', '{ type: integer, colour: red }', '{ name: x }'])(
    '%s is a value',
    async (value) => {
      expect((await load(pipeline(`  n: ${value}`))).ok).toBe(true);
    },
  );
});

describe('params files', () => {
  const declared = pipeline('  epochs: { type: integer, default: 3 }\n  rate: 0.1');
  test('everything that is wrong is told at once', async () => {
    const files = { 'p.yaml': declared, 'my.yaml': 'epoch: 3\nepochs: many\nrate: [1]\nepochs2: 1\n' };
    const { diagnostics } = await load(files, { paramsFile: 'my.yaml' });
    expect(diagnostics.map(({ code, message }) => `${code} ${message}`)).toEqual([
      'PARAMS_FILE The pipeline has no param "epoch".',
      'PARAMS_FILE The pipeline has no param "epochs2".',
      'PARAM_VALUE The param "epochs" must be a whole number, but is "many".',
      'PARAM_VALUE The param "rate" must be a number, but is a list of 1 item.',
    ]);
  });

  test('a syntax error, a second value for a name and a file that is no map are told in it', async () => {
    const tell = async (text: string): Promise<string> =>
      explain({ 'p.yaml': declared, 'my.yaml': text }, { paramsFile: 'my.yaml' });
    expect(await tell('epochs: [1\n')).toContain('my.yaml:1:9 error YAML_SYNTAX  This [ is never closed.');
    expect(await tell('epochs: 1\nepochs: 2\n')).toContain('my.yaml:2:1 error YAML_DUPLICATE_KEY');
    expect(await tell('- epochs\n')).toBe(`
my.yaml:1:1 error PARAMS_FILE  my.yaml must be a map of params, but is a list of 1 item.
    1 | - epochs
      | ^^^^^^^^
  help: Write one \`name: value\` a line.
`);
  });

  test('a file that is not there is told, together with other mistakes', async () => {
    expect(await explain(declared, { paramsFile: 'gone.yaml', set: ['rte=1'] })).toBe(`
error SET_INVALID  --set rte: the pipeline has no param "rte".
  help: Did you mean "rate"?

error PARAMS_FILE  There is no file gone.yaml.
  help: Check the path.
`);
  });

  test('the command line comes after the file', async () => {
    expect(await resolve('  a: 1\n  b: 1\n  c: 1', 'a: 2\nb: 2\n', { set: ['b=3', 'params.b=4'] })).toEqual({
      a: 2,
      b: 4,
      c: 1,
    });
  });
});

describe('--set', () => {
  test.each([
    ['n=3', { n: 3 }],
    ['n="3"', { n: '3' }],
    ['n=[1, 2]', { n: [1, 2] }],
    ['n={"a": 1}', { n: { a: 1 } }],
    ['n=true', { n: true }],
    ['n=a=b', { n: 'a=b' }],
    ['n=', { n: '' }],
  ])('%s is read as JSON where it is JSON', async (set, params) => {
    expect(await resolve('  n: text', undefined, { set: [set] })).toEqual(params);
  });

  test('a declared text takes what was typed', async () => {
    expect(await resolve('  n: { type: string }', undefined, { set: ['n=007'] })).toEqual({ n: '007' });
  });

  test('every mistake is told, with what to type', async () => {
    const set = ['n', '=3', 'm=1', 'steps.b.with.x=1', 'steps.a.timeout=3', 'steps.a.with.=1', 'n=x'];
    expect(await explain(pipeline('  n: { type: integer, default: 1 }'), { set })).toBe(`
error SET_INVALID  --set n has no value.
  help: Write --set name=value.

error SET_INVALID  --set =3 has no name.
  help: Write --set name=value.

error SET_INVALID  --set m: the pipeline has no param "m".
  help: Did you mean "n"?

error SET_INVALID  --set steps.b.with.x: the pipeline has no step "b".
  help: Did you mean "a"?

error SET_INVALID  --set steps.a.timeout does not name a param of a step.
  help: Write --set steps.a.with.PARAM=value.

error SET_INVALID  --set steps.a.with. does not name a param of a step.
  help: Write --set steps.a.with.PARAM=value.

error PARAM_VALUE  The param "n" must be a whole number, but is "x" on the command line.
  note: "n" is declared here.
  p.yaml:3:32
    3 |   n: { type: integer, default: 1 }
      |                                ^
  help: Write a value such as \`1\`.
`);
  });
});

describe('expressions in params', () => {
  test('params may use each other in any order, and env with defaults', async () => {
    const text = `name: p
env: { HOME_DIR: /home, MODEL: null }
params:
  out: "\${{ params.name }}-\${{ params.n * 2 }}"
  name: "\${{ default(env.MODEL, 'none') }}"
  n: 3
  dir: "\${{ env.HOME_DIR }}"
steps: { a: { uses: prepare } }
`;
    expect((await graphOf(text, { env: { MODEL: 'bert', HOME_DIR: undefined } })).params).toEqual({
      out: 'bert-6',
      name: 'bert',
      n: 3,
      dir: '/home',
    });
  });

  test('what follows from a mistake is not told again', async () => {
    const text = `name: p
params: { n: { type: integer }, m: "\${{ params.n + 1 }}", k: "\${{ params.m + params.n }}" }
steps:
  a: { uses: train, with: { epochs: "\${{ params.m }}" }, inputs: { dataset: d.dataset }, if: "params.k > 3", gates: ["metrics.a > params.n"] }
  d: { uses: prepare, timeout: "\${{ params.n }}", matrix: { x: "\${{ params.k }}" } }
`;
    const { diagnostics } = await load(text);
    expect(diagnostics.map(({ code }) => code)).toEqual(['PARAM_MISSING']);
  });
});
