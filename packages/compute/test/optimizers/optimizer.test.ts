import type { Backend } from '@joyul/plugin-api';
import { describe, expect, test } from 'vitest';
import {
  Program,
  adafactor,
  adamWOptimizer,
  clipByGlobalNorm,
  createSession,
  declareScalars,
  lion,
  loadBinding,
  scalar,
  sgd,
  stateBytes,
} from '../../src/index.ts';
import type { Optimizer } from '../../src/index.ts';

/** Numbers between −1 and 1 that look random and are always the same. */
const noise = (count: number, phase: number): Float32Array =>
  Float32Array.from({ length: count }, (_, index) => Math.sin(12.9898 * (index + 1) + 78.233 * phase));

/** A matrix and a vector that are given their gradients, clipped to `maxNorm`. */
function makeProgram(optimizer: Optimizer, rows: number, columns: number, options: Options): Program {
  const program = new Program();
  const w = program.variable('w', [rows, columns]);
  const b = program.variable('b', [columns]);
  program.entry('step', (builder) => {
    const given = [
      builder.input('gw', 'float32', [rows, columns]),
      builder.input('gb', 'float32', [columns]),
    ];
    const learningRate = builder.input('lr', 'float32', []);
    const { gradients, norm } = clipByGlobalNorm(given, options.maxNorm);
    const targets = [w, b].map((variable, index) => ({
      variable,
      gradient: gradients[index] ?? scalar(0),
      learningRate,
      weightDecay: options.decay ?? 0,
    }));
    const updates = optimizer.makeUpdates(program, targets, declareScalars(builder, optimizer));
    return { outputs: { norm }, updates };
  });
  return program;
}

interface Options {
  readonly decay?: number;
  readonly maxNorm?: number;
}

/** The matrix and the vector after five iterations. */
async function train(
  optimizer: Optimizer,
  [rows, columns]: readonly [number, number],
  backend: Backend,
  options: Options = {},
): Promise<{ readonly w: readonly number[]; readonly b: readonly number[] }> {
  const program = makeProgram(optimizer, rows, columns, options);
  const session = await createSession(program, { backend });
  const size = rows * columns;
  const zeros = program.variables.map(
    ({ name, shape }) => [name, new Float32Array(shape.reduce((a, c) => a * c, 1))] as const,
  );
  await session.write({ ...Object.fromEntries(zeros), w: noise(size, 1), b: noise(columns, 2) });
  for (let t = 1; t <= 5; t++) {
    await session.run('step', {
      gw: noise(size, 10 + t).map((value) => value * (t === 3 ? 5 : 1)),
      gb: noise(columns, 20 + t),
      lr: 0.05,
      ...optimizer.scalarsAt(t),
    });
  }
  const { w = [], b = [] } = await session.read(['w', 'b']);
  session.dispose();
  return { w: [...w], b: [...b] };
}

/** Weights after five iterations at a learning rate of 0.05, from PyTorch 2 and transformers' Adafactor. */
const golden: readonly (readonly [string, Optimizer, number, readonly number[], readonly number[]])[] = [
  [
    'AdamW',
    adamWOptimizer(),
    0.1,
    [-0.1496075, -0.5869697, -0.9223056, -1.076288, -1.061, -0.8777301, -0.5554016, -0.03593463, 0.3740008, 0.8114634, 1.031399, 1.088609], // prettier-ignore
    [-0.09176722, 0.3094147, 0.6718743, 0.9313177],
  ],
  [
    'SGD',
    sgd(),
    0,
    [-0.01916923, -0.5141343, -0.9182881, -1.160245, -1.197268, -1.022819, -0.6677089, -0.194662, 0.3127679, 0.7649539, 1.082026, 1.207981], // prettier-ignore
    [-0.2015545, 0.233784, 0.6278293, 0.9109814],
  ],
  [
    'SGD with an L2 penalty',
    sgd(),
    0.1,
    [-0.01687324, -0.5009866, -0.896611, -1.133867, -1.170849, -1.001024, -0.654389, -0.1921692, 0.3039933, 0.7464617, 1.057083, 1.180992], // prettier-ignore
    [-0.1971475, 0.2276166, 0.6121769, 0.8886086],
  ],
  [
    'SGD with momentum',
    sgd({ momentum: 0.9 }),
    0.1,
    [0.08992689, -0.5446955, -1.083109, -1.430213, -1.524699, -1.349878, -0.9366289, -0.3579434, 0.2839656, 0.8757179, 1.312792, 1.517989], // prettier-ignore
    [-0.1465726, 0.2863396, 0.6686758, 0.932904],
  ],
  [
    "SGD with Nesterov's momentum",
    sgd({ momentum: 0.9, isNesterov: true }),
    0.1,
    [0.1674292, -0.5273286, -1.128945, -1.531155, -1.662919, -1.500962, -1.07389, -0.4571383, 0.2403581, 0.8954002, 1.392288, 1.643257], // prettier-ignore
    [-0.1599389, 0.2758617, 0.662937, 0.932918],
  ],
  [
    'SGD with momentum and decoupled decay',
    sgd({ momentum: 0.9, decay: 'decoupled' }),
    0.1,
    [0.08523148, -0.5662693, -1.11775, -1.471803, -1.565892, -1.383398, -0.9565554, -0.3607566, 0.2987626, 0.9055114, 1.35232, 1.560269], // prettier-ignore
    [-0.1536864, 0.296611, 0.6945182, 0.9697528],
  ],
  [
    'Adafactor',
    adafactor(),
    0,
    [-0.0827626, -0.5159011, -0.8588877, -1.044093, -1.036522, -0.8475118, -0.5066449, -0.07776688, 0.3458882, 0.729991, 0.9841707, 1.059748], // prettier-ignore
    [-0.1915697, 0.2234729, 0.6219758, 0.9129798],
  ],
  [
    'Adafactor with decay',
    adafactor(),
    0.1,
    [-0.07975899, -0.5026684, -0.8377826, -1.018859, -1.011432, -0.8272744, -0.4947787, -0.07631549, 0.3367505, 0.7118331, 0.9602185, 1.034233], // prettier-ignore
    [-0.1877785, 0.2170497, 0.6062806, 0.8906208],
  ],
  [
    'Lion',
    lion(),
    0.1,
    [-0.1619791, -0.5504509, -0.8498576, -1.00831, -0.9969089, -0.8181685, -0.5036592, -0.01091792, 0.2957976, 0.7389456, 0.9617271, 1.022883], // prettier-ignore
    [-0.1358691, 0.274402, 0.5448664, 0.9096723],
  ],
];

const native = loadBinding();

describe.each(['cpu', 'wasm', 'tensorflow'] as const)('on %s', (backend) => {
  const isMissing = backend === 'tensorflow' && !native.isLoaded;
  const title = isMissing ? ' (skipped: TensorFlow is not set up here)' : '';

  test.skipIf(isMissing).each(golden)(`%s moves weights as PyTorch does${title}`, async (...item) => {
    const [, optimizer, decay, w, b] = item;
    const found = await train(optimizer, [3, 4], backend, { decay });
    [...w, ...b].forEach((value, index) => {
      expect([...found.w, ...found.b][index]).toBeCloseTo(value, 5);
    });
  });
});

test.skipIf(!native.isLoaded).each(golden)(
  `%s as one pass over a large weight agrees with plain JavaScript`,
  async (...item) => {
    const [, optimizer, decay] = item;
    const [found, expected] = [
      await train(optimizer, [192, 384], 'tensorflow', { decay, maxNorm: 3 }),
      await train(optimizer, [192, 384], 'cpu', { decay, maxNorm: 3 }),
    ];
    const different = found.w.filter(
      (value, index) => !(Math.abs(value - (expected.w[index] ?? Number.NaN)) < 1e-5),
    );
    // Lion moves by the sign of a sum, which may round to either side of 0.
    expect(different.length).toBeLessThanOrEqual(item[0] === 'Lion' ? 5 : 0);
  },
);

test('what an optimizer keeps is known before there is a program', () => {
  const weights = [
    { name: 'w', shape: [1000, 500] },
    { name: 'b', shape: [1000] },
  ];
  const bytes = [adamWOptimizer(), sgd(), sgd({ momentum: 0.9 }), adafactor(), lion()].map((optimizer) =>
    stateBytes(optimizer, weights),
  );
  expect(bytes).toEqual([4_008_000, 0, 2_004_000, 10_000, 2_004_000]);
});
