import { describe, expect, test } from 'vitest';
import { judgeGates } from '../../src/plan/gates.ts';
import { explain, graphOf, withSteps } from '../language/support.ts';

const measured = { accuracy: 0.71, f1: 0.6, 'per_class.card.f1': 0.55, 'macro-f1': 0.5, loss: 0 };

/** What the gates of a step say of what was measured; the graph has been through JSON, as a run's record has. */
async function judge(
  gates: string,
  more = '',
  metrics: Record<string, number> = measured,
): Promise<readonly string[]> {
  const graph = await graphOf(withSteps(`  a:\n    uses: prepare\n    gates: ${gates}\n`, more));
  const stored = JSON.parse(JSON.stringify(graph.steps[0]?.gates)) as NonNullable<
    (typeof graph.steps)[0]['gates']
  >; // Its own JSON.
  return judgeGates(stored, metrics).map(({ message }) => message);
}

describe('judging', () => {
  test('a gate that holds says nothing', async () => {
    expect(await judge('["metrics.accuracy >= 0.7", "${{ metrics.loss < 1 }}"]')).toEqual([]);
  });

  test('a refusal has the measured number and what the gate wants', async () => {
    expect(await judge('["metrics.accuracy >= 0.9"]')).toEqual([
      'metrics.accuracy is 0.71, but the gate wants metrics.accuracy >= 0.9.',
    ]);
  });

  test('params, env, matrix and run are put in, so that the record alone can be judged', async () => {
    const more = 'params: { floor: 0.9 }\nenv: { MARGIN: 0.05 }\nseed: 7\n';
    expect(
      await judge('["metrics.accuracy >= params.floor + env.MARGIN", "metrics.f1 > run.seed"]', more),
    ).toEqual([
      'metrics.accuracy is 0.71, but the gate wants metrics.accuracy >= 0.95.',
      'metrics.f1 is 0.6, but the gate wants metrics.f1 > 7.',
    ]);
  });

  test('each instance of a matrix has its own values', async () => {
    const steps =
      '  a: { uses: prepare, matrix: { floor: [0.7, 0.8] }, gates: ["metrics.accuracy > matrix.floor"] }\n';
    const graph = await graphOf(withSteps(steps));
    expect(graph.steps.map(({ gates = [] }) => judgeGates(gates, measured).length)).toEqual([0, 1]);
  });

  test('of several conditions only those that fail are told', async () => {
    expect(await judge('["metrics.accuracy > 0.7 && metrics.f1 > 0.9 && metrics.loss > 0"]')).toEqual([
      'metrics.f1 is 0.6, but the gate wants metrics.f1 > 0.9. metrics.loss is 0, but the gate wants metrics.loss > 0.',
    ]);
  });

  test('every metric of a condition is told once', async () => {
    expect(await judge('["metrics.f1 > metrics.accuracy || metrics.f1 > 0.9"]')).toEqual([
      'metrics.f1 is 0.6 and metrics.accuracy is 0.71, but the gate wants metrics.f1 > metrics.accuracy || metrics.f1 > 0.9.',
    ]);
  });

  test('nested metrics and names with other characters can be read', async () => {
    const more = 'params: { name: macro-f1, class: card }\n';
    const gates = `["metrics.per_class[params.class].f1 > 0.9", 'metrics[params.name] > 0.9', 'metrics["macro-f1"] > 0.4']`;
    expect(await judge(gates, more)).toEqual([
      'metrics.per_class.card.f1 is 0.55, but the gate wants metrics.per_class.card.f1 > 0.9.',
      'metrics.macro-f1 is 0.5, but the gate wants metrics.macro-f1 > 0.9.',
    ]);
  });

  test('the message of a gate comes first', async () => {
    const more = 'params: { floor: 0.9 }\n';
    const gate =
      '[{ check: "metrics.accuracy >= params.floor", message: "Too weak for ${{ params.floor }}." }]';
    expect(await judge(gate, more)).toEqual([
      'Too weak for 0.9: metrics.accuracy is 0.71, but the gate wants metrics.accuracy >= 0.9.',
    ]);
  });

  test('a metric that was not measured refuses, and the nearest one is named', async () => {
    expect(await judge('["metrics.acuracy >= 0.9"]')).toEqual([
      'The gate wants metrics.acuracy >= 0.9, but metrics.acuracy was not measured. Did you mean metrics.accuracy?',
    ]);
    expect(await judge('["metrics.bleu >= 0.9"]', '', { loss: 1 })).toEqual([
      'The gate wants metrics.bleu >= 0.9, but metrics.bleu was not measured. Measured are metrics.loss.',
    ]);
    expect(await judge('["metrics.bleu >= 0.9"]', '', {})).toEqual([
      'The gate wants metrics.bleu >= 0.9, but metrics.bleu was not measured. The step measured nothing: none of its outputs has a metrics.json.',
    ]);
  });

  test('a metric that is read only where it counts may be absent', async () => {
    const more = 'params: { kind: a }\n';
    expect(await judge(`["params.kind == 'a' ? metrics.f1 > 0.5 : metrics.bleu > 0.5"]`, more)).toEqual([]);
  });

  test('a condition that cannot be computed refuses and says why', async () => {
    expect(await judge('["metrics.f1 / metrics.loss > 2"]')).toEqual([
      'The gate wants metrics.f1 / metrics.loss > 2, which cannot be computed: The result is not a finite number. metrics.f1 is 0.6 and metrics.loss is 0.',
    ]);
  });

  test('a condition without metrics is told as it stands', async () => {
    expect(await judge('["params.epochs > 3"]', 'params: { epochs: 2 }\n')).toEqual([
      'The gate wants params.epochs > 3, which is not so.',
    ]);
  });

  test('names of objects that every object has are no metrics', async () => {
    expect(await judge('["metrics.constructor > 0"]', '', {})).toHaveLength(1);
  });
});

describe('checking before anything runs', () => {
  test('only what a gate reads is kept beside it', async () => {
    const graph = await graphOf(
      withSteps(
        '  a: { uses: prepare, gates: ["metrics.a > params.floor"] }\n',
        'params: { floor: 1, other: 2 }\n',
      ),
    );
    expect(graph.steps[0]?.gates).toEqual([
      { check: 'metrics.a > params.floor', values: { params: { floor: 1 } }, place: 'p.yaml:4:31' },
    ]);
  });

  test('mistakes are told with their place inside the expression', async () => {
    const steps = `
  a:
    uses: prepare
    gates:
      - metrics.a > params.flor
      - accuracy > 0.9
      - "\${{ metrics.a >= }}"
      - "\${{ metrics.a }} > 0.9"
      - metrics.a + 1
      - metrics > 1
      - max(metrics.a) > 1
      - { check: metrics.a > secrets.TOKEN }
      - metrics.a > params.name
      - { check: metrics.a > 1, mesage: no }
`;
    const more = 'params: { floor: 1, name: high }\nsecrets: [TOKEN]\n';
    expect(await explain(withSteps(steps.replace(/ {6}- \{ check: metrics.a > 1.*\n/, ''), more))).toBe(`
p.yaml:9:28 error EXPRESSION_NAME  params has no "flor".
    9 |       - metrics.a > params.flor
      |                            ^^^^
  help: Did you mean "floor"?

p.yaml:10:9 error EXPRESSION_NAME  "accuracy" is not defined.
   10 |       - accuracy > 0.9
      |         ^^^^^^^^
  help: Known are "metrics", "params", "env", "run", "matrix".

p.yaml:11:27 error EXPRESSION_SYNTAX  The expression ends too early.
   11 |       - "\${{ metrics.a >= }}"
      |                           ^

p.yaml:12:10 error EXPRESSION_SYNTAX  A condition is one expression; this one goes on outside of its braces.
   12 |       - "\${{ metrics.a }} > 0.9"
      |          ^^^^^^^^^^^^^^^^^^^^^^
  help: Write the whole condition without \${{ and }}.

p.yaml:13:9 error EXPRESSION_TYPE  A gate must be true or false, but this is a number.
   13 |       - metrics.a + 1
      |         ^^^^^^^^^^^^^

p.yaml:14:9 error EXPRESSION_TYPE  A metric is read by its name, such as metrics.accuracy.
   14 |       - metrics > 1
      |         ^^^^^^^

p.yaml:15:9 error EXPRESSION_NAME  There is no function "max".
   15 |       - max(metrics.a) > 1
      |         ^^^
  help: Known are "contains", "startsWith", "endsWith", "format", "toJSON", "default".

p.yaml:16:30 error EXPRESSION_NAME  "secrets" is not defined.
   16 |       - { check: metrics.a > secrets.TOKEN }
      |                              ^^^^^^^
  help: Known are "metrics", "params", "env", "run", "matrix".

p.yaml:17:21 error EXPRESSION_TYPE  Here must be a number, but is "high".
   17 |       - metrics.a > params.name
      |                     ^^^^^^^^^^^
`);
    expect(
      await explain(
        withSteps(
          '  a:\n    uses: prepare\n    gates:\n      - { check: metrics.a > 1, mesage: no }\n      - 3\n',
        ),
      ),
    ).toBe(`
p.yaml:6:33 error UNKNOWN_KEY  "steps.a.gates[0]" has no key "mesage".
    6 |       - { check: metrics.a > 1, mesage: no }
      |                                 ^^^^^^
  help: Did you mean "message"?

p.yaml:7:9 error WRONG_TYPE  "steps.a.gates[1]" must be a condition such as metrics.accuracy >= 0.9 or a map with "check" and "message", but is 3.
    7 |       - 3
      |         ^
`);
  });

  test('a param that is a secret cannot be read by a gate', async () => {
    const more = 'secrets: [TOKEN]\nparams: { token: "${{ secrets.TOKEN }}" }\n';
    expect(await explain(withSteps('  a: { uses: prepare, gates: ["true || params.token"] }\n', more))).toBe(`
p.yaml:5:32 error EXPRESSION_SECRET  A gate cannot read a secret.
    5 |   a: { uses: prepare, gates: ["true || params.token"] }
      |                                ^^^^^^^^^^^^^^^^^^^^
  help: Let the whole value be \`\${{ secrets.NAME }}\`.
`);
  });
});
