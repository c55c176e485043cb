import { describe, expect, test } from 'vitest';
import { explain, graphOf, load } from './support.ts';

const tune = `
name: tune
params: { epochs: { type: integer, minimum: 1, default: 2 }, rate: 0.1 }
inputs: { dataset: { type: dataset } }
outputs: { model: train.model, metrics: { from: evaluate.metrics, type: metrics } }
steps:
  train:
    uses: train
    with: { epochs: "\${{ params.epochs }}", rate: "\${{ params.rate }}" }
    inputs: { dataset: inputs.dataset }
  evaluate: { uses: evaluate, inputs: { model: train.model, dataset: inputs.dataset } }
`;

/** A pipeline that prepares, tunes with the file above and deploys; \`use\` are more keys of the step that tunes. */
const main = (use = 'with: { epochs: 5 }', deploy = '', more = ''): string => `
name: main
${more}
steps:
  prepare: { uses: prepare }
  tune:
    uses: ./tune.yaml
    inputs: { dataset: prepare.dataset }
    ${use}
  deploy: { uses: deploy, inputs: { model: tune.model, metrics: tune.metrics }${deploy} }
`;

const files = (use?: string, deploy?: string, more?: string): Record<string, string> => ({
  'p.yaml': main(use, deploy, more),
  'tune.yaml': tune,
});

describe('a pipeline as a step', () => {
  test('its steps stand in the graph under its name, wired to both sides', async () => {
    const { steps, byId } = await graphOf(files());
    expect(steps.map(({ id, group }) => [id, group].join(' '))).toEqual([
      'prepare prepare',
      'tune/train tune/train',
      'tune/evaluate tune/evaluate',
      'deploy deploy',
    ]);
    expect(byId.get('tune/train')?.inputs).toEqual({ dataset: [{ step: 'prepare', port: 'dataset' }] });
    expect(byId.get('tune/evaluate')?.needs).toEqual(['prepare', 'tune/train']);
    expect(byId.get('deploy')?.inputs).toEqual({
      model: [{ step: 'tune/train', port: 'model' }],
      metrics: [{ step: 'tune/evaluate', port: 'metrics' }],
    });
  });

  test('`with` are its params, and its own defaults count where nothing is given', async () => {
    const { byId } = await graphOf(files());
    expect(byId.get('tune/train')?.params).toMatchObject({ epochs: 5, rate: 0.1 });
  });

  test('a matrix makes an instance of all of its steps for each value, joined inside and outside', async () => {
    const use = 'matrix: { rate: [1e-4, 1e-3] }\n    with: { rate: "${{ matrix.rate }}" }';
    const { byId } = await graphOf(files(use, ', matrix: { rate: [0.001] }'));
    expect([...byId.keys()]).toEqual([
      'prepare',
      'tune@rate=1e-4/train',
      'tune@rate=1e-4/evaluate',
      'tune@rate=1e-3/train',
      'tune@rate=1e-3/evaluate',
      'deploy@rate=0.001',
    ]);
    expect(byId.get('tune@rate=1e-3/evaluate')?.inputs['model']).toEqual([
      { step: 'tune@rate=1e-3/train', port: 'model' },
    ]);
    expect(byId.get('deploy@rate=0.001')?.needs).toEqual(['tune@rate=1e-3/evaluate', 'tune@rate=1e-3/train']);
    expect(byId.get('tune@rate=1e-4/train')?.group).toBe('tune/train');
  });

  test('an axis inside is not the same as an axis with that name outside', async () => {
    const inner = `
name: inner
outputs: { models: train.model }
steps: { train: { uses: train, with: { epochs: 1 }, inputs: { dataset: prepare.dataset }, matrix: { seed: [1, 2] } }, prepare: { uses: prepare } }
`;
    const outer = `
name: outer
steps:
  fit: { uses: ./inner.yaml, matrix: { seed: [7, 8] } }
  compare: { uses: compare, matrix: { seed: [7, 8] }, inputs: { models: fit.models } }
`;
    const { byId } = await graphOf({ 'p.yaml': outer, 'inner.yaml': inner });
    expect(byId.get('compare@seed=8')?.needs).toEqual(['fit@seed=8/train@seed=1', 'fit@seed=8/train@seed=2']);
  });

  test('an instance that `include` made keeps to its own steps', async () => {
    const use = 'matrix: { rate: [0.1], seed: [1], include: [{ rate: 9, big: true }] }';
    const { byId } = await graphOf(files(use, ', matrix: { rate: [0.1] }'));
    expect(byId.get('tune@rate=9,big=true/evaluate')?.inputs['model']).toEqual([
      { step: 'tune@rate=9,big=true/train', port: 'model' },
    ]);
  });

  test('`if` leaves out all of its steps, and what needs them', async () => {
    const { steps } = await graphOf(files('if: false'));
    expect(steps.map(({ id, isEnabled }) => `${id} ${isEnabled}`)).toEqual([
      'prepare true',
      'tune/train false',
      'tune/evaluate false',
      'deploy false',
    ]);
  });

  test('settings of the step count inside, except where a step there has its own', async () => {
    const inner = tune
      .replace('    uses: train\n', '    uses: train\n    timeout: 5s\n    environment: { A: inner }\n')
      .replace('\nsteps:', '\ndefaults: { retry: { attempts: 9 }, cache: ro }\nsteps:');
    const use =
      'timeout: "${{ params.limit }}"\n    retry: { attempts: 3 }\n    environment: { A: outer, B: "${{ secrets.KEY }}" }\n    resources: { gpu: 1 }';
    const more = 'params: { limit: 1m }\nsecrets: [KEY]\npools: { gpu: 2 }\n';
    const { byId } = await graphOf({ 'p.yaml': main(use, '', more), 'tune.yaml': inner });
    expect(byId.get('tune/train')).toMatchObject({
      timeoutMs: 5000,
      retry: { attempts: 3 },
      cache: 'ro',
      environment: { A: 'inner' },
      secretEnvironment: { B: 'KEY' },
      resources: { gpu: 1 },
    });
    expect(byId.get('tune/evaluate')).toMatchObject({ timeoutMs: 60_000, environment: { A: 'outer' } });
    expect(byId.get('deploy')?.retry.attempts).toBe(1);
  });

  test('a text that was computed outside is not computed again inside', async () => {
    const { byId } = await graphOf(files("environment: { A: '\\${{ params.nothing }}' }"));
    expect(byId.get('tune/train')?.environment).toEqual({ A: '${{ params.nothing }}' });
  });

  test('paths are relative to the file that names them, included files too', async () => {
    const { steps } = await graphOf({
      'p.yaml': 'name: p\ninclude: [parts/more.yaml]\nsteps: { first: { uses: prepare } }\n',
      'parts/more.yaml': 'steps:\n  fit: { uses: ../lib/fit.yaml }\n',
      'lib/fit.yaml': 'name: fit\nsteps: { deep: { uses: ./deep.yaml } }\n',
      'lib/deep.yaml': 'name: deep\nsteps: { prepare: { uses: prepare } }\n',
    });
    expect(steps.map(({ id }) => id)).toEqual(['first', 'fit/deep/prepare']);
  });

  test('a file may be used twice, and its pools join those of the pipeline', async () => {
    const graph = await graphOf({
      'p.yaml': 'name: p\npools: { gpu: 2 }\nsteps: { a: { uses: ./q.yaml }, b: { uses: ./q.yaml } }\n',
      'q.yaml':
        'name: q\npools: { gpu: 1, disk: ["x"] }\nsteps: { s: { uses: prepare, resources: { gpu: 2, disk: 1 } } }\n',
    });
    expect(graph.steps.map(({ id }) => id)).toEqual(['a/s', 'b/s']);
    expect([graph.pools['gpu'], graph.devices]).toEqual([2, { disk: ['x'] }]);
  });

  test('inputs may be optional or many, and go through several pipelines', async () => {
    const { byId } = await graphOf({
      'p.yaml': `
name: p
steps:
  prepare: { uses: prepare }
  a: { uses: train, with: { epochs: 1 }, inputs: { dataset: prepare.dataset } }
  b: { uses: train, with: { epochs: 2 }, inputs: { dataset: prepare.dataset } }
  judge: { uses: ./judge.yaml, inputs: { models: [a.model, b.model] } }
  deploy: { uses: deploy, inputs: { model: a.model, metrics: judge.metrics } }
`,
      'judge.yaml': `
name: judge
inputs: { models: { type: trained-model, many: true }, weights: { type: weights, optional: true } }
outputs: { metrics: inner.metrics }
steps: { inner: { uses: ./inner.yaml, inputs: { all: inputs.models, start: inputs.weights } } }
`,
      'inner.yaml': `
name: inner
inputs: { all: { type: trained-model, many: true }, start: { type: weights, optional: true } }
outputs: { metrics: compare.metrics }
steps:
  compare: { uses: compare, inputs: { models: inputs.all } }
  prepare: { uses: prepare }
  again: { uses: train, with: { epochs: 1 }, inputs: { dataset: prepare.dataset, weights: inputs.start } }
`,
    });
    expect(byId.get('judge/inner/compare')?.inputs).toEqual({
      models: [
        { step: 'a', port: 'model' },
        { step: 'b', port: 'model' },
      ],
    });
    expect(byId.get('judge/inner/again')?.needs).toEqual(['judge/inner/prepare']);
    expect(byId.get('deploy')?.needs).toEqual(['a', 'judge/inner/compare']);
  });

  test('a pipeline whose inputs are all optional runs alone', async () => {
    const { steps } = await graphOf(
      'name: p\ninputs: { weights: { type: weights, optional: true } }\nsteps:\n  d: { uses: prepare }\n  t: { uses: train, with: { epochs: 1 }, inputs: { dataset: d.dataset, weights: inputs.weights } }\n',
    );
    expect(steps[1]?.inputs).toEqual({ dataset: [{ step: 'd', port: 'dataset' }] });
  });

  test('one that needs inputs and params can still be checked', async () => {
    const result = await load({ 'p.yaml': tune.replace(', default: 2', '') }, { hasOpenInputs: true });
    expect([result.ok, result.diagnostics]).toEqual([true, []]);
  });

  test('--set changes a param of a step inside', async () => {
    const set = ['steps.tune.with.epochs=7', 'steps.tune/train.with.rate=0.5'];
    const { byId } = await graphOf(files(), { set });
    expect(byId.get('tune/train')?.params).toMatchObject({ epochs: 7, rate: 0.5 });
    expect(await explain(files(), { set: ['steps.tune/trian.with.rate=1'] })).toBe(`
error SET_INVALID  --set steps.tune/trian.with.rate: the pipeline has no step "tune/trian".
  help: Did you mean "tune/train"?
`);
  });

  test('a profile and defaults of the pipeline reach the step', async () => {
    const more =
      'profiles: { quick: { steps: { tune: { with: { epochs: 1 } } } } }\ndefaults: { retry: { attempts: 4 } }\n';
    const { byId } = await graphOf(files(undefined, '', more), { profile: 'quick' });
    expect(byId.get('tune/train')).toMatchObject({ params: { epochs: 1 }, retry: { attempts: 4 } });
  });
});

describe('mistakes', () => {
  test('in the step that uses a pipeline have their place there, and name the file', async () => {
    const use = 'with: { epochs: many, lr: 1 }\n    gates: ["metrics.a > 1"]';
    const text = main(use, '', '').replace(
      'inputs: { dataset: prepare.dataset }',
      'inputs: { datset: prepare.dataset }',
    );
    expect(await explain({ 'p.yaml': text.replace('tune.metrics', 'tune.metric'), 'tune.yaml': tune })).toBe(`
p.yaml:10:5 error UNKNOWN_KEY  The step "tune" uses a pipeline, and has no gates of its own.
   10 |     gates: ["metrics.a > 1"]
      |     ^^^^^
  help: Write \`gates\` in a step of tune.yaml.

p.yaml:9:27 error PARAM_UNKNOWN  The pipeline tune.yaml has no param "lr".
    9 |     with: { epochs: many, lr: 1 }
      |                           ^^
  help: Its params are: epochs, rate.

p.yaml:9:21 error PARAM_VALUE  The param "epochs" must be a whole number of at least 1, but is "many".
    9 |     with: { epochs: many, lr: 1 }
      |                     ^^^^
  note: "epochs" is declared here.
  tune.yaml:3:57
    3 | params: { epochs: { type: integer, minimum: 1, default: 2 }, rate: 0.1 }
      |                                                         ^
  help: Write a value such as \`2\`.

p.yaml:8:15 error INPUT_UNKNOWN_PORT  The pipeline tune.yaml has no input "datset".
    8 |     inputs: { datset: prepare.dataset }
      |               ^^^^^^
  help: Did you mean "dataset"?

p.yaml:6:3 error INPUT_MISSING  The step "tune" needs the input "dataset" of type "dataset", and nothing is wired to it.
    6 |   tune:
      |   ^^^^
  note: The input is declared here.
  tune.yaml:4:11
    4 | inputs: { dataset: { type: dataset } }
      |           ^^^^^^^
  help: Add \`inputs: { dataset: prepare.dataset }\`.

p.yaml:11:65 error REFERENCE_PORT  The step "tune" has no output "metric".
   11 |   deploy: { uses: deploy, inputs: { model: tune.model, metrics: tune.metric } }
      |                                                                 ^^^^^^^^^^^
  help: Did you mean "tune.metrics"?
`);
  });

  test('inside the file have their place there, once for all instances', async () => {
    const wrong = tune
      .replace('model: train.model, metrics', 'model: train.modl, metrics')
      .replace('type: metrics', 'type: weights')
      .replace('model: train.model, dataset', 'model: inputs.dataset, dataset');
    const use = 'matrix: { rate: [1, 2] }';
    const told = await explain({ 'p.yaml': main(use, ', matrix: { rate: [1, 2] }'), 'tune.yaml': wrong });
    expect(told).toBe(`
tune.yaml:11:48 error PORT_TYPE  The input "model" takes "trained-model", but inputs.dataset gives "dataset".
   11 |   evaluate: { uses: evaluate, inputs: { model: inputs.dataset, dataset: inputs.dataset } }
      |                                                ^^^^^^^^^^^^^^
  note: "dataset" is declared here.
  tune.yaml:4:11
    4 | inputs: { dataset: { type: dataset } }
      |           ^^^^^^^
  help: Wire "train.model" to "model", or inputs.dataset to "dataset".

tune.yaml:5:19 error REFERENCE_PORT  The step "train" has no output "modl".
    5 | outputs: { model: train.modl, metrics: { from: evaluate.metrics, type: weights } }
      |                   ^^^^^^^^^^
  help: Did you mean "train.model"?

tune.yaml:5:48 error PORT_TYPE  The output "metrics" is declared as "weights", but evaluate.metrics gives "metrics".
    5 | outputs: { model: train.modl, metrics: { from: evaluate.metrics, type: weights } }
      |                                                ^^^^^^^^^^^^^^^^
  note: "metrics" is declared here.
  tune.yaml:5:31
    5 | outputs: { model: train.modl, metrics: { from: evaluate.metrics, type: weights } }
      |                               ^^^^^^^
  help: Write \`type: metrics\`, or name another output.

p.yaml:10:65 error PORT_TYPE  The input "metrics" takes "metrics", but tune.metrics gives "weights".
   10 |   deploy: { uses: deploy, inputs: { model: tune.model, metrics: tune.metrics }, matrix: { rate: [1,
      |                                                                 ^^^^^^^^^^^^
  note: "metrics" is declared here.
  tune.yaml:5:31
    5 | outputs: { model: train.modl, metrics: { from: evaluate.metrics, type: weights } }
      |                               ^^^^^^^
  help: Wire an output of type "metrics" to "metrics".
`);
  });

  test('an input that may be left out cannot feed a port that must be there', async () => {
    const told = await explain({
      'p.yaml': 'name: p\nsteps: { q: { uses: ./q.yaml } }\n',
      'q.yaml':
        'name: q\ninputs: { dataset: { type: dataset, optional: true } }\nsteps:\n  s: { uses: select, inputs: { dataset: inputs.dataset } }\n',
    });
    expect(told).toBe(`
q.yaml:4:41 error PORT_COUNT  The step "s" needs the input "dataset", but inputs.dataset may be left out.
    4 |   s: { uses: select, inputs: { dataset: inputs.dataset } }
      |                                         ^^^^^^^^^^^^^^
  help: Remove \`optional\` where the input is declared, or wire something that is always there.
`);
  });

  test('several artifacts for one are told on both sides of the border', async () => {
    const told = await explain({
      'p.yaml': `name: p
steps:
  d: { uses: prepare }
  q: { uses: ./q.yaml, inputs: { dataset: [d.dataset, d.dataset] } }
  m: { uses: ./q.yaml, matrix: { x: [1, 2] }, inputs: { dataset: d.dataset } }
  e: { uses: deploy, inputs: { model: m.models } }
  f: { uses: deploy, inputs: { model: q.models } }
`,
      'q.yaml': `name: q
inputs: { dataset: { type: dataset }, more: { type: dataset, many: true, optional: true } }
outputs: { models: t.model }
steps:
  t: { uses: train, with: { epochs: 1 }, matrix: { s: [1, 2] }, inputs: { dataset: inputs.dataset } }
  u: { uses: train, with: { epochs: 1 }, inputs: { dataset: inputs.more } }
`,
    });
    expect(told).toBe(`
p.yaml:4:34 error PORT_COUNT  The input "dataset" takes one artifact, but a list of 2 is wired.
    4 |   q: { uses: ./q.yaml, inputs: { dataset: [d.dataset, d.dataset] } }
      |                                  ^^^^^^^
  note: The input is declared here.
  q.yaml:2:11
    2 | inputs: { dataset: { type: dataset }, more: { type: dataset, many: true, optional: true } }
      |           ^^^^^^^
  help: Wire one of them.

q.yaml:6:61 error PORT_COUNT  The input "dataset" takes one artifact, but inputs.more may be several.
    6 |   u: { uses: train, with: { epochs: 1 }, inputs: { dataset: inputs.more } }
      |                                                             ^^^^^^^^^^^
  note: The input is declared here.
  q.yaml:2:39
    2 | inputs: { dataset: { type: dataset }, more: { type: dataset, many: true, optional: true } }
      |                                       ^^^^
  help: Wire it to an input that takes several, or remove \`many\` from "more".

q.yaml:6:61 error PORT_COUNT  The step "u" needs the input "dataset", but inputs.more may be left out.
    6 |   u: { uses: train, with: { epochs: 1 }, inputs: { dataset: inputs.more } }
      |                                                             ^^^^^^^^^^^
  help: Remove \`optional\` where the input is declared, or wire something that is always there.

p.yaml:6:39 error PORT_COUNT  The input "model" takes one artifact, but m.models stands for 2 instances of "m".
    6 |   e: { uses: deploy, inputs: { model: m.models } }
      |                                       ^^^^^^^^
  help: Give "e" a matrix with the axis "x", or name one instance: \`m@x=1.models\`.

p.yaml:7:39 error PORT_COUNT  The input "model" takes one artifact, but q.models stands for 2 of them.
    7 |   f: { uses: deploy, inputs: { model: q.models } }
      |                                       ^^^^^^^^
  help: Wire it to an input that takes several, or let the pipeline give one.
`);
  });

  test('a circle of steps across files is told hop by hop', async () => {
    const told = await explain({
      'p.yaml': `name: p
steps:
  q: { uses: ./q.yaml, inputs: { files: back.x } }
  back: { uses: copy, with: { outputs: [x] }, inputs: { files: q.out } }
`,
      'q.yaml':
        'name: q\ninputs: { files: { type: files } }\noutputs: { out: c.y }\nsteps:\n  c: { uses: copy, with: { outputs: [y] }, inputs: { files: inputs.files } }\n',
    });
    expect(told).toBe(`
q.yaml:5:61 error CYCLE  Steps need each other in a circle: q/c → back → q/c.
    5 |   c: { uses: copy, with: { outputs: [y] }, inputs: { files: inputs.files } }
      |                                                             ^^^^^^^^^^^^
  note: "back" needs "q/c" here.
  p.yaml:4:64
    4 |   back: { uses: copy, with: { outputs: [x] }, inputs: { files: q.out } }
      |                                                                ^^^^^
  help: Remove one of these inputs.
`);
  });

  test('a pipeline that only gives on what it is given cannot be fed by itself', async () => {
    const told = await explain({
      'p.yaml': 'name: p\nsteps:\n  q: { uses: ./q.yaml, inputs: { files: q.out } }\n',
      'q.yaml':
        'name: q\ninputs: { files: { type: files } }\noutputs: { out: inputs.files }\nsteps: { d: { uses: prepare } }\n',
    });
    expect(told).toBe(`
p.yaml:3:41 error CYCLE  q.out leads back to itself: a pipeline gives on what it is given.
    3 |   q: { uses: ./q.yaml, inputs: { files: q.out } }
      |                                         ^^^^^
  help: Wire the output of another step.
`);
  });

  test('a file that uses itself through others is told with every link', async () => {
    const told = await explain({
      'p.yaml': 'name: p\nsteps: { a: { uses: ./a.yaml } }\n',
      'a.yaml': 'name: a\nsteps: { b: { uses: ./b.yaml } }\n',
      'b.yaml': 'name: b\nsteps: { a: { uses: a.yaml } }\n',
    });
    expect(told).toBe(`
b.yaml:2:21 error INCLUDE_CYCLE  a.yaml uses itself: a.yaml → b.yaml → a.yaml.
    2 | steps: { a: { uses: a.yaml } }
      |                     ^^^^^^
  note: a.yaml names the next file here.
  a.yaml:2:21
    2 | steps: { b: { uses: ./b.yaml } }
      |                     ^^^^^^^^
  help: Remove one of the links.
`);
  });

  test('a param that must be given is asked for where the pipeline is used', async () => {
    const told = await explain({
      'p.yaml': main('description: no params'),
      'tune.yaml': tune.replace(', default: 2', ''),
    });
    expect(told).toBe(`
p.yaml:6:3 error PARAM_MISSING  The param "epochs" of tune.yaml has no value: it is declared without a default.
    6 |   tune:
      |   ^^^^
  note: "epochs" is declared here.
  tune.yaml:3:11
    3 | params: { epochs: { type: integer, minimum: 1 }, rate: 0.1 }
      |           ^^^^^^
  help: Add \`with: { epochs: ... }\`, which must be a whole number of at least 1.
`);
  });

  test('mistakes of all files are told at once, also where a plugin is missing', async () => {
    const told = await explain({
      'p.yaml': main().replace('uses: deploy', 'uses: deplooy'),
      'tune.yaml': tune.replace('uses: evaluate', 'uses: evaluat'),
    });
    expect(told).toContain('tune.yaml:11:21 error PLUGIN_UNKNOWN');
    expect(told).toContain('p.yaml:10:19 error PLUGIN_UNKNOWN');
    expect(told.match(/ error /g)).toHaveLength(2);
  });

  test('pipelines in pipelines cannot make millions of steps', async () => {
    const levels = Array.from({ length: 9 }, (_, level) => [
      level === 0 ? 'p.yaml' : `l${level}.yaml`,
      `name: l${level}\nsteps:\n  s: { uses: ${level === 8 ? 'prepare' : `./l${level + 1}.yaml`}, matrix: { x: [1, 2, 3, 4, 5] } }\n`,
    ]);
    const told = await explain(Object.fromEntries(levels) as Record<string, string>); // Pairs of two texts.
    expect(told).toContain('error MATRIX_TOO_LARGE  The pipeline has more than 100000 steps, from "s" on.');
  }, 60_000);
});
