import { describe, expect, test } from 'vitest';
import {
  Program,
  adamW,
  attention,
  causalBias,
  clipByGlobalNorm,
  constant,
  createSession,
  fuse,
  gelu,
  geluTanh,
  gradients,
  headCrossEntropy,
  layerNorm,
  linear,
  loadBinding,
  makeRopeTables,
  mean,
  mul,
  add,
  rmsNorm,
  rope,
  scalar,
  square,
  sum,
  swiglu,
} from '../../src/index.ts';
import type { SessionOptions, Tensor } from '../../src/index.ts';
import { createTensorflowSession } from '../../src/graph/session-tensorflow.ts';
import { makeTensor } from '../../src/ir.ts';

const native = loadBinding();
const isMissing = !native.isLoaded;
const title = isMissing ? ' (skipped: TensorFlow is not set up here)' : '';

/** Numbers between −1 and 1 that look random and are always the same. */
const noise = (count: number, phase: number): Float32Array =>
  Float32Array.from({ length: count }, (_, index) => Math.sin(12.9898 * (index + 1) + 78.233 * phase));
const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const row = (width: number, phase: number): Tensor => constant(noise(width, phase), [width]);

const tokens = constant(
  Int32Array.from({ length: 64 }, (_, index) => (index % 9 === 0 ? -100 : (index * 37) % 2048)),
  [64],
  'int32',
);

/** Shapes that are large enough for a compiled function. */
const cases: readonly (readonly [string, readonly number[], (x: Tensor) => Tensor])[] = [
  ['gelu', [512, 256], gelu],
  ['geluTanh', [512, 256], geluTanh],
  ['swiglu', [512, 256], (x) => swiglu(x, mul(x, 0.5))],
  ['layerNorm', [512, 256], (x) => layerNorm(x, row(256, 1), row(256, 2), 1e-5)],
  ['rmsNorm', [512, 256], (x) => rmsNorm(x, row(256, 1), 1e-5)],
  ['rope', [2, 4, 128, 64], (x) => rope(x, makeRopeTables(128, 64))],
  [
    'headCrossEntropy, smoothed',
    [64, 32],
    (x) =>
      headCrossEntropy(x, constant(noise(2048 * 32, 3), [2048, 32]), tokens, { labelSmoothing: 0.2 }).total,
  ],
  ['attention', [2, 4, 128, 64], (x) => attention(mul(x, 0.2), x, mul(x, 2), causalBias(128))],
];

function makeProgram(shape: readonly number[], build: (x: Tensor) => Tensor): Program {
  const program = new Program();
  program.entry('run', (builder) => {
    const x = builder.input('x', 'float32', shape);
    const y = build(x);
    const [gradient = scalar(0)] = gradients(sum(mul(y, constant(noise(size(y.shape), 5), y.shape))), [x]);
    return { outputs: { y, gradient } };
  });
  return program;
}

async function run(
  program: Program,
  shape: readonly number[],
  options: SessionOptions,
): Promise<Record<string, Float32Array | Int32Array>> {
  const session = await createSession(program, options);
  try {
    return await session.run('run', { x: noise(size(shape), 0) });
  } finally {
    session.dispose();
  }
}

function largestDifference(
  left: Record<string, ArrayLike<number>>,
  right: Record<string, ArrayLike<number>>,
): number {
  return Math.max(
    ...Object.entries(left).map(([name, data]) =>
      Array.from(data).reduce(
        (most, value, index) => Math.max(most, Math.abs(value - (right[name]?.[index] ?? Number.NaN))),
        0,
      ),
    ),
  );
}

describe.skipIf(isMissing)(`compiled functions${title}`, () => {
  test.each(cases)('%s and its gradient agree with plain JavaScript', async (_name, shape, build) => {
    const program = makeProgram(shape, build);
    const found = await run(program, shape, { backend: 'tensorflow' });
    const expected = await run(program, shape, { backend: 'cpu' });
    expect(largestDifference(found, expected)).toBeLessThan(2e-4);
  });

  test('without a compiler the same operations run one by one', async () => {
    if (!native.isLoaded) return;
    const program = makeProgram([512, 256], gelu);
    const session = createTensorflowSession(native.binding, program, { usesXla: false, matmul: 'float32' });
    const found = await session.run('run', { x: noise(512 * 256, 0) });
    session.dispose();
    const expected = await run(program, [512, 256], { backend: 'tensorflow' });
    expect(largestDifference(found, expected)).toBeLessThan(1e-5);
  });
});

test('a fused function that reads an outer tensor is refused', () => {
  const program = new Program();
  const outer = program.variable('outer', [512, 256]);
  const x = program.variable('x', [512, 256]);
  expect(() => fuse([x], (y) => [add(y, outer)] as const)).toThrow(
    'a fused function reads an outer Variable.',
  );
});

/** A linear layer trained with AdamW and clipping, large enough for the fused update. */
function makeRegression(): Program {
  const program = new Program();
  const weight = program.variable('w', [256, 512]);
  program.entry('train', (builder) => {
    const x = builder.input('x', 'float32', [8, 512]);
    const loss = mean(square(linear(x, weight)));
    const clipped = clipByGlobalNorm(gradients(loss, [weight]), 0.01);
    const powers = {
      beta1Power: builder.input('b1', 'float32', []),
      beta2Power: builder.input('b2', 'float32', []),
    };
    const [gradient = scalar(0)] = clipped.gradients;
    const learningRate = builder.input('lr', 'float32', []);
    return {
      outputs: { loss, norm: clipped.norm },
      updates: adamW(program, [{ variable: weight, gradient, learningRate, weightDecay: 0.1 }], powers),
    };
  });
  return program;
}

async function train(options: SessionOptions, iterations = 3): Promise<Float32Array> {
  const session = await createSession(makeRegression(), options);
  const zeros = new Float32Array(256 * 512);
  await session.write({ w: noise(256 * 512, 1), 'w/m': zeros, 'w/v': zeros });
  for (let t = 1; t <= iterations; t++)
    await session.run('train', { x: noise(8 * 512, 2), lr: 0.01, b1: 0.9 ** t, b2: 0.999 ** t });
  const { w } = await session.read(['w']);
  session.dispose();
  return w ?? new Float32Array();
}

test.skipIf(isMissing)(`the fused AdamW update agrees with plain JavaScript${title}`, async () => {
  const difference = largestDifference(
    { w: await train({ backend: 'tensorflow' }) },
    { w: await train({ backend: 'cpu' }) },
  );
  expect(difference).toBeLessThan(1e-4);
});

test.skipIf(isMissing)(`the same iterations give the same bytes${title}`, async () => {
  expect(await train({ backend: 'tensorflow' })).toEqual(await train({ backend: 'tensorflow' }));
});

describe.skipIf(isMissing)(`products in bfloat16${title}`, () => {
  const build = (x: Tensor): Tensor => linear(x, constant(noise(64 * 128, 1), [64, 128]), row(64, 2));

  test('are near those in float32, and not equal to them', async () => {
    const program = makeProgram([32, 128], build);
    const exact = await run(program, [32, 128], { backend: 'tensorflow' });
    const rounded = await run(program, [32, 128], { backend: 'tensorflow', matmul: 'bfloat16' });
    const difference = largestDifference(exact, rounded);
    expect(difference).toBeGreaterThan(1e-4);
    // 8 bits of mantissa: 2⁻⁸ of the largest result.
    expect(difference).toBeLessThan(2 ** -8 * Math.max(...(exact['y'] ?? []).map(Math.abs)));
  });

  test('keep the weights and their updates in float32', async () => {
    const before = noise(256 * 512, 1);
    const after = await train({ backend: 'tensorflow', matmul: 'bfloat16' }, 1);
    // bfloat16 has 8 bits: an update of 1 % of a weight's last bit would be lost.
    const moved = after.filter((value, index) => value !== before[index]).length;
    expect(moved).toBeGreaterThan(0.99 * before.length);
  });

  /** x·wᵀ, and w as it can be read afterwards. */
  async function multiply(
    declare: (program: Program) => Tensor,
    weight: Float32Array,
  ): Promise<Record<'y' | 'w', Float32Array | Int32Array | undefined>> {
    const program = new Program();
    program.entry('run', (builder) => ({
      outputs: { y: linear(builder.input('x', 'float32', [32, 128]), declare(program)) },
    }));
    const session = await createSession(program, { backend: 'tensorflow', matmul: 'bfloat16' });
    await session.write({ w: weight });
    const { y } = await session.run('run', { x: noise(32 * 128, 0) });
    const { w } = await session.read(program.variables.map((variable) => variable.name));
    session.dispose();
    return { y, w };
  }

  test('keep a frozen weight in bfloat16 only, and give what narrowing it each time gives', async () => {
    const weight = noise(64 * 128, 1);
    const kept = await multiply((program) => program.variable('w', [64, 128]), weight);
    const narrowed = await multiply(() => constant(weight, [64, 128]), weight);
    expect(kept.y).toEqual(narrowed.y);
    // A kept float32 would be what was written.
    expect(largestDifference({ w: kept.w ?? [] }, { w: weight })).toBeGreaterThan(1e-4);
  });

  test('keep a frozen weight in float32 as well where something else reads it', async () => {
    const weight = noise(64 * 128, 1);
    const program = new Program();
    const w = program.variable('w', [64, 128]);
    program.entry('run', (builder) => ({
      outputs: { y: linear(builder.input('x', 'float32', [32, 128]), w), doubled: mul(w, 2) },
    }));
    const session = await createSession(program, { backend: 'tensorflow', matmul: 'bfloat16' });
    await session.write({ w: weight });
    const { doubled } = await session.run('run', { x: noise(32 * 128, 0) });
    expect([doubled, (await session.read(['w']))['w']]).toEqual([weight.map((value) => 2 * value), weight]);
    session.dispose();
  });

  test('`auto` measures and tells what it chose', async () => {
    const session = await createSession(makeRegression(), { backend: 'tensorflow', matmul: 'auto' });
    expect(['float32', 'bfloat16']).toContain(session.matmul);
    session.dispose();
  });
});

test.skipIf(isMissing)(`a graph that TensorFlow refuses is reported with the node${title}`, async () => {
  const program = new Program();
  program.entry('run', (builder) => {
    const x = builder.input('x', 'float32', [2, 3]);
    return { outputs: { y: makeTensor('MatMul', [x, x], [2, 3], 'float32') } };
  });
  const attempt = createSession(program, { backend: 'tensorflow' });
  await expect(attempt).rejects.toThrow('Internal error: TensorFlow refuses the graph.');
  await expect(attempt.catch((error: unknown) => String((error as Error).cause))).resolves.toMatch(
    /MatMul_\d+/,
  );
});
