import type { Backend } from '@joyul/plugin-api';
import { describe, expect, test } from 'vitest';
import {
  Program,
  adamW,
  clipByGlobalNorm,
  createSession,
  gradients,
  linear,
  loadBinding,
  mean,
  scalar,
  square,
  sub,
} from '../src/index.ts';
import type { Session } from '../src/index.ts';

/** Fits y = x·wᵀ on one batch with AdamW. */
function makeRegression(maxNorm?: number): Program {
  const program = new Program();
  const weight = program.variable('w', [1, 2]);
  program.entry('train', (builder) => {
    const x = builder.input('x', 'float32', [2, 2]);
    const y = builder.input('y', 'float32', [2, 1]);
    const learningRate = builder.input('lr', 'float32', []);
    const powers = {
      beta1Power: builder.input('b1', 'float32', []),
      beta2Power: builder.input('b2', 'float32', []),
    };
    const loss = mean(square(sub(linear(x, weight), y)));
    const clipped = clipByGlobalNorm(gradients(loss, [weight]), maxNorm);
    const [gradient = scalar(0)] = clipped.gradients;
    const updates = adamW(program, [{ variable: weight, gradient, learningRate, weightDecay: 0.1 }], powers);
    return { outputs: { loss, norm: clipped.norm }, updates };
  });
  return program;
}

const feeds = (iteration: number): Record<string, Float32Array | number> => ({
  x: Float32Array.of(1, 2, 3, 4),
  y: Float32Array.of(1, 0),
  lr: 0.1,
  b1: 0.9 ** iteration,
  b2: 0.999 ** iteration,
});

/** The same regression in plain numbers, after the update rule that PyTorch documents for AdamW. */
function expectedWeights(iterations: number): readonly number[] {
  const w = [0.5, -0.5];
  const m = [0, 0];
  const v = [0, 0];
  const rows = [
    [1, 2, 1],
    [3, 4, 0],
  ] as const;
  for (let t = 1; t <= iterations; t++) {
    const gradient = [0, 0];
    for (const [a, b, y] of rows) {
      const error = a * (w[0] ?? 0) + b * (w[1] ?? 0) - y;
      gradient[0] = (gradient[0] ?? 0) + error * a;
      gradient[1] = (gradient[1] ?? 0) + error * b;
    }
    gradient.forEach((g, i) => {
      m[i] = 0.9 * (m[i] ?? 0) + 0.1 * g;
      v[i] = 0.999 * (v[i] ?? 0) + 0.001 * g * g;
      const step = (m[i] ?? 0) / (1 - 0.9 ** t) / (Math.sqrt((v[i] ?? 0) / (1 - 0.999 ** t)) + 1e-8);
      w[i] = (w[i] ?? 0) * (1 - 0.1 * 0.1) - 0.1 * step;
    });
  }
  return w;
}

const native = loadBinding();
const backends: readonly Backend[] = ['cpu', 'wasm', 'tensorflow'];

async function withSession<T>(
  program: Program,
  backend: Backend,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await createSession(program, { backend });
  await session.write({
    w: Float32Array.of(0.5, -0.5),
    'w/m': 0,
    'w/v': 0,
  });
  try {
    return await use(session);
  } finally {
    session.dispose();
  }
}

describe.each(backends)('on %s', (backend) => {
  const isMissing = backend === 'tensorflow' && !native.isLoaded;
  const title = isMissing ? ' (skipped: TensorFlow is not set up here)' : '';

  test.skipIf(isMissing)(`AdamW moves weights as PyTorch documents it${title}`, async () => {
    const found = await withSession(makeRegression(), backend, async (session) => {
      for (let t = 1; t <= 5; t++) await session.run('train', feeds(t));
      return (await session.read(['w']))['w'];
    });
    expectedWeights(5).forEach((value, index) => {
      expect(found?.[index]).toBeCloseTo(value, 5);
    });
  });

  test.skipIf(isMissing)(`clipping reports the norm before it clips${title}`, async () => {
    const norm = await withSession(
      makeRegression(0.5),
      backend,
      async (session) => (await session.run('train', feeds(1)))['norm']?.[0],
    );
    expect(norm).toBeCloseTo(Math.hypot(-1 * 1.5 + -0.5 * 3, -1.5 * 2 + -0.5 * 4), 4);
  });

  test.skipIf(isMissing)(`0 stands for zeros everywhere, beside other values${title}`, async () => {
    const found = await withSession(makeRegression(), backend, async (session) => {
      await session.run('train', feeds(1));
      await session.write([
        ['w/m', 0],
        ['w', Float32Array.of(3, 4)],
        ['w/v', 0],
      ]);
      return session.read(['w', 'w/m', 'w/v']);
    });
    expect(found).toEqual({
      w: Float32Array.of(3, 4),
      'w/m': new Float32Array(2),
      'w/v': new Float32Array(2),
    });
  });

  test.skipIf(isMissing)(`a thousand iterations leave no tensors behind${title}`, async () => {
    await withSession(makeRegression(), backend, async (session) => {
      const tf = backend === 'tensorflow' ? undefined : await import('@tensorflow/tfjs-core');
      for (let t = 1; t <= 50; t++) await session.run('train', feeds(t));
      const before = { tensors: tf?.memory().numTensors, bytes: process.memoryUsage().rss };
      for (let t = 51; t <= 1050; t++) await session.run('train', feeds(t));
      expect(tf?.memory().numTensors).toBe(before.tensors);
      expect(process.memoryUsage().rss - before.bytes).toBeLessThan(80e6);
    });
  });
});

test('a value of the wrong size is refused with its name', async () => {
  if (!native.isLoaded) return;
  await withSession(makeRegression(), 'tensorflow', async (session) => {
    await expect(session.run('train', { ...feeds(1), x: Float32Array.of(1) })).rejects.toThrow(
      'x has 1 values, but its shape is [2, 2].',
    );
  });
});
