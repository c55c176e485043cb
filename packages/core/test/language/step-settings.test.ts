import { describe, expect, test } from 'vitest';
import { explain, graphOf, load, makeCatalog, makePlugin, plugins, withSteps } from './support.ts';

const one = (settings: string): string =>
  withSteps(
    `  a: { uses: prepare, ${settings} }\n`,
    'params: { n: 2, t: 5s, bad: soon }\npools: { gpu: ["0", "1"], db: 3, disk: 10GB }\n',
  );

describe('retry', () => {
  test('one attempt is the default', async () => {
    const { steps } = await graphOf(one('cache: rw'));
    expect(steps[0]?.retry).toEqual({
      attempts: 1,
      delayMs: 1000,
      factor: 2,
      maxDelayMs: 300_000,
      jitter: 0.1,
    });
  });

  test('attempts, backoff, jitter and the codes that count are read', async () => {
    const retry =
      'retry: { attempts: "${{ params.n + 1 }}", delay: 500ms, factor: 3, max_delay: "${{ params.t }}", jitter: 0, on: [75, TIMEOUT] }';
    const { steps } = await graphOf(one(retry));
    expect(steps[0]?.retry).toEqual({
      attempts: 3,
      delayMs: 500,
      factor: 3,
      maxDelayMs: 5000,
      jitter: 0,
      on: [75, 'TIMEOUT'],
    });
  });

  test.each([
    [
      'attempts: 0',
      'WRONG_TYPE "steps.a.retry.attempts" must be a whole number of at least 1 and at most 100 or an expression in ${{ }}, but is 0.',
    ],
    [
      'attempts: 1.5',
      'WRONG_TYPE "steps.a.retry.attempts" must be a whole number of at least 1 and at most 100 or an expression in ${{ }}, but is 1.5.',
    ],
    [
      'attempts: "${{ params.t }}"',
      'WRONG_TYPE "retry.attempts" must be a whole number of at least 1, but is "5s".',
    ],
    [
      'attempts: 2, delay: -1',
      'WRONG_TYPE "steps.a.retry.delay" must be a duration such as 30s, 10m or 2h, or a number of seconds, but is -1.',
    ],
    [
      'attempts: 2, delay: 5 minutes',
      'WRONG_TYPE "steps.a.retry.delay" must be a duration such as 30s, 10m or 2h, or a number of seconds, but is "5 minutes".',
    ],
    [
      'delay: "${{ params.bad }}"',
      'WRONG_TYPE "retry.delay" must be a duration such as 30s, 10m or 2h, but is "soon".',
    ],
    ['factor: 0.5', 'WRONG_TYPE "steps.a.retry.factor" must be a number of at least 1, but is 0.5.'],
    [
      'jitter: 2',
      'WRONG_TYPE "steps.a.retry.jitter" must be a number of at least 0 and at most 1, but is 2.',
    ],
    ['on: 75', 'WRONG_TYPE "steps.a.retry.on" must be a list, but is 75.'],
    ['on: [1.5]', 'WRONG_TYPE "steps.a.retry.on[0]" must be a text or a whole number, but is 1.5.'],
    ['maxdelay: 3', 'UNKNOWN_KEY "steps.a.retry" has no key "maxdelay".'],
  ])('{ %s } is refused', async (retry, told) => {
    const { diagnostics } = await load(one(`retry: { ${retry} }`));
    expect(diagnostics.map(({ code, message }) => `${code} ${message}`)).toEqual([told]);
  });
});

describe('timeout', () => {
  test.each([
    ['30', 30_000],
    ['0.5', 500],
    ['250ms', 250],
    ['1.5h', 5_400_000],
    ['2 d', 172_800_000],
    ['"${{ params.t }}"', 5000],
    ['"${{ params.n }}"', 2000],
  ])('%s', async (written, timeoutMs) => {
    expect((await graphOf(one(`timeout: ${written}`))).steps[0]?.timeoutMs).toBe(timeoutMs);
  });

  test.each(['5 min', '-1', '[1]', 'true', '1h30m'])('%s is refused', async (written) => {
    const { diagnostics } = await load(one(`timeout: ${written}`));
    expect(diagnostics.map(({ code }) => code)).toEqual(['WRONG_TYPE']);
  });
});

describe('resources', () => {
  test('amounts, sizes and devices are read, and a step takes one core unless it says otherwise', async () => {
    const { steps, pools, devices } = await graphOf(
      one('resources: { gpu: 2, db: 0.5, disk: 4GiB, memory: "${{ params.n }}GB" }'),
    );
    expect(steps[0]?.resources).toEqual({ cpu: 1, gpu: 2, db: 0.5, disk: 4 * 1024 ** 3, memory: 2e9 });
    expect(pools).toEqual({ cpu: 4, memory: 8e9, gpu: 2, db: 3, disk: 1e10 });
    expect(devices).toEqual({ gpu: ['0', '1'] });
  });

  test('a step that uses tensors takes all cores', async () => {
    const catalog = makeCatalog([
      ...plugins,
      makePlugin('dense', { type: 'object' }, {}, {}, { usesTensors: true }),
    ]);
    const { steps } = await graphOf(
      withSteps('  a: { uses: dense }\n  b: { uses: dense, resources: { cpu: 2 } }\n'),
      { catalog },
    );
    expect(steps.map(({ resources }) => resources['cpu'])).toEqual([4, 2]);
  });

  test('devices may be numbers, and are lent whole', async () => {
    expect(
      (await graphOf(withSteps('  a: { uses: prepare }\n', 'pools: { gpu: [0, 1, 7] }\n'))).devices,
    ).toEqual({ gpu: ['0', '1', '7'] });
    expect(await explain(one('resources: { gpu: 0.5 }'))).toBe(`
p.yaml:5:41 error WRONG_TYPE  "resources.gpu" must be a whole number of devices, but is 0.5.
    5 |   a: { uses: prepare, resources: { gpu: 0.5 } }
      |                                         ^^^
`);
    expect(await explain(one('resources: { gpu: 1GB }'))).toContain(
      'must be a whole number of devices, but is "1GB"',
    );
  });

  test('a list that no pool can be is told', async () => {
    const more = 'pools:\n  cpu: ["0", "1"]\n  gpu: ["0", 0]\n  none: []\n  odd: [{ a: 1 }]\n  big: lots\n';
    const text = withSteps('  a: { uses: prepare }\n', more);
    expect(await explain(text)).toBe(`
p.yaml:5:9 error WRONG_TYPE  "pools.none" must be a number, a size such as 16GB, or a list of devices, but is an empty list.
    5 |   none: []
      |         ^^
  help: Write a value such as \`none: 1\`.

p.yaml:6:9 error WRONG_TYPE  "pools.odd[0]" must be the name of a device, but is a map.
    6 |   odd: [{ a: 1 }]
      |         ^^^^^^^^
  help: Write a value such as \`0\`.

p.yaml:7:8 error WRONG_TYPE  "pools.big" must be a number, a size such as 16GB, or a list of devices, but is "lots".
    7 |   big: lots
      |        ^^^^
  help: Write a value such as \`big: 1\`.
`);
    expect(await explain(text.replace(/ {2}(none|odd|big).*\n/g, ''))).toBe(`
p.yaml:3:8 error WRONG_TYPE  The pool "cpu" is an amount, and cannot be a list.
    3 |   cpu: ["0", "1"]
      |        ^^^^^^^^^^
  help: Write \`cpu: 2\`.

p.yaml:4:14 error WRONG_TYPE  The pool "gpu" has the device "0" twice.
    4 |   gpu: ["0", 0]
      |              ^
  help: Remove one of them.
`);
  });

  test('more cores or memory than there are become all of them, with a warning', async () => {
    const { ok, diagnostics } = await load(one('resources: { cpu: 99, memory: 1TB }'));
    expect([ok, diagnostics.map(({ severity, code }) => `${severity} ${code}`)]).toEqual([
      true,
      ['warning POOL_EXCEEDED', 'warning POOL_EXCEEDED'],
    ]);
  });
});

describe('if', () => {
  test.each([
    ['true', true],
    ['false', false],
    ['params.n > 1', true],
    ['"${{ params.n > 1 && !false }}"', true],
    ['"params.t == \'x\'"', false],
    ['"contains(params.bad, \'oo\')"', true],
    ['matrix.absent == null', true],
  ])('%s is %s', async (written, isEnabled) => {
    const steps = written.startsWith('matrix')
      ? `if: ${written}, matrix: { x: [1], include: [{ x: 1, absent: null }] }`
      : `if: ${written}`;
    expect((await graphOf(one(steps))).steps[0]?.isEnabled).toBe(isEnabled);
  });

  test('a condition that goes on outside of its braces would always be true, and is told', async () => {
    expect(await explain(one('if: "${{ params.n }} > 5"'))).toBe(`
p.yaml:5:28 error EXPRESSION_SYNTAX  A condition is one expression; this one goes on outside of its braces.
    5 |   a: { uses: prepare, if: "\${{ params.n }} > 5" }
      |                            ^^^^^^^^^^^^^^^^^^^
  help: Write the whole condition without \${{ and }}.
`);
  });

  test('a branch that is left out takes with it what needs it, and branches come together again', async () => {
    const { steps } = await graphOf(
      withSteps(`
  d: { uses: prepare }
  a: { uses: train, with: { epochs: 1 }, inputs: { dataset: d.dataset }, if: false }
  b: { uses: train, with: { epochs: 2 }, inputs: { dataset: d.dataset } }
  both: { uses: compare, inputs: { models: [a.model, b.model] } }
  only: { uses: evaluate, inputs: { model: a.model, dataset: d.dataset } }
`),
    );
    expect(steps.map(({ id, isEnabled }) => `${id} ${isEnabled}`)).toEqual([
      'd true',
      'a false',
      'b true',
      'both true',
      'only false',
    ]);
    expect(steps[3]?.needs).toEqual(['b']);
  });
});

describe('cache, environment and secrets', () => {
  test.each([
    ['true', 'rw'],
    ['false', 'off'],
    ['ro', 'ro'],
    ['wo', 'wo'],
    ['off', 'off'],
  ])('cache: %s is %s', async (written, cache) => {
    expect((await graphOf(one(`cache: ${written}`))).steps[0]?.cache).toBe(cache);
  });

  test('variables are texts, and a secret is looked up when the step starts', async () => {
    const text = withSteps(
      '  a: { uses: train, with: { epochs: 1, token: "${{ secrets.TOKEN }}" }, inputs: { dataset: d.dataset }, environment: { A: 1, B: true, C: "${{ params.n }}x", S: "${{ secrets.TOKEN }}" } }\n  d: { uses: prepare }\n',
      'params: { n: 2 }\nsecrets: [TOKEN]\n',
    );
    const step = (await graphOf(text)).byId.get('a');
    expect(step?.environment).toEqual({ A: '1', B: 'true', C: '2x' });
    expect(step?.secretEnvironment).toEqual({ S: 'TOKEN' });
    expect(step?.params).toMatchObject({ token: { $secret: 'TOKEN' } });
  });

  test.each([
    ['"${{ secrets.OTHER }}"', 'EXPRESSION_NAME secrets has no "OTHER".'],
    ['"${{ secrets.TOKEN.x }}"', 'EXPRESSION_SECRET secrets.TOKEN is a secret and has no parts.'],
    ['"${{ secrets.TOKEN == \'x\' }}"', 'EXPRESSION_SECRET Nothing can be computed from a secret.'],
    ['"${{ toJSON(secrets) }}"', 'EXPRESSION_SECRET Nothing can be computed from a secret.'],
    ['"a${{ secrets.TOKEN }}"', 'EXPRESSION_SECRET A secret cannot be put into a longer text.'],
  ])('%s is refused', async (written, told) => {
    const { diagnostics } = await load(
      withSteps(`  a: { uses: prepare, with: { source: ${written} } }\n`, 'secrets: [TOKEN]\n'),
    );
    expect(diagnostics.map(({ code, message }) => `${code} ${message}`)).toEqual([told]);
  });

  test('a secret cannot decide whether a step runs', async () => {
    const { diagnostics } = await load(
      withSteps('  a: { uses: prepare, if: secrets.TOKEN }\n', 'secrets: [TOKEN]\n'),
    );
    expect(diagnostics.map(({ message }) => message)).toEqual([
      'A secret cannot decide whether a step runs.',
    ]);
  });
});
