import { describe, expect, test } from 'vitest';
import {
  Program,
  addBias,
  conv2d,
  createSession,
  depthwiseConv2d,
  foldBatchNorm,
  globalAvgPool,
  gradients,
  linear,
  loadBinding,
  mul,
  relu6,
  softmaxCrossEntropy,
  sub,
} from '../src/index.ts';
import type { Tensor, Variable } from '../src/index.ts';
import { size, values } from './operation-cases.ts';

const trunkShapes = {
  'conv/kernel': [3, 3, 3, 4],
  'norm/gamma': [4],
  'norm/beta': [4],
  'norm/mean': [4],
  'norm/variance': [4],
};
const topShapes = {
  'deep/kernel': [3, 3, 4, 1],
  'deep/bias': [4],
  'wide/kernel': [1, 1, 4, 6],
  'wide/bias': [6],
  'head/weight': [2, 6],
  'head/bias': [2],
};
const frozen = Object.keys(trunkShapes);
const images = [4, 8, 8, 3] as const;

/** A small MobileNet block by block: a frozen convolution with its normalisation, then layers that are trained. */
function makeProgram(): Program {
  const program = new Program();
  const variables = new Map<string, Variable>(
    Object.entries({ ...trunkShapes, ...topShapes }).map(([name, shape]) => [
      name,
      program.variable(name, shape),
    ]),
  );
  const get = (name: string): Variable => {
    const found = variables.get(name);
    if (found === undefined) throw new Error(`no ${name}`);
    return found;
  };
  const forward = (x: Tensor): Tensor => {
    const folded = foldBatchNorm(
      { filter: get('conv/kernel'), isDepthwise: false },
      {
        mean: get('norm/mean'),
        variance: get('norm/variance'),
        gamma: get('norm/gamma'),
        beta: get('norm/beta'),
        epsilon: 1e-3,
      },
    );
    const trunk = relu6(addBias(conv2d(x, folded.filter, { strides: [2, 2], padding: 'same' }), folded.bias));
    const deep = relu6(
      addBias(depthwiseConv2d(trunk, get('deep/kernel'), { padding: 'same' }), get('deep/bias')),
    );
    const wide = relu6(addBias(conv2d(deep, get('wide/kernel')), get('wide/bias')));
    return linear(globalAvgPool(wide), get('head/weight'), get('head/bias'));
  };
  program.entry('train', (builder) => {
    const logits = forward(builder.input('x', 'float32', images));
    const loss = mul(softmaxCrossEntropy(logits, builder.input('labels', 'int32', [4])).total, 1 / 4);
    const trained = Object.keys(topShapes).map(get);
    const updates = gradients(loss, trained).map((gradient, index) => {
      const variable = trained[index] ?? get('head/bias');
      return { kind: 'assign', variable, value: sub(variable, mul(gradient, 0.3)) } as const;
    });
    return { outputs: { loss }, updates };
  });
  return program;
}

const startValues = Object.fromEntries(
  Object.entries({ ...trunkShapes, ...topShapes }).map(([name, shape], index) => {
    const shift = name.endsWith('kernel') || name.endsWith('weight') ? 0.7 : 0;
    return [name, values(size(shape), index).map((value) => value - shift)];
  }),
);

const bytesOf = (tensors: Readonly<Record<string, Float32Array>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(tensors).map(([name, data]) => [
      name,
      Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex'),
    ]),
  );

/** Twenty iterations on one batch: the losses, and the frozen numbers before and after. */
async function train(backend: 'cpu' | 'wasm' | 'tensorflow'): Promise<{
  readonly losses: readonly number[];
  readonly before: Record<string, string>;
  readonly after: Record<string, string>;
}> {
  const session = await createSession(makeProgram(), { backend });
  await session.write(startValues);
  const before = bytesOf(await session.read(frozen));
  const x = values(size(images), 1).map((value, index) => value * (index < size(images) / 2 ? 1 : -1));
  const losses: number[] = [];
  for (let iteration = 0; iteration < 20; iteration++) {
    const { loss } = await session.run('train', { x, labels: Int32Array.of(0, 0, 1, 1) });
    losses.push(loss?.[0] ?? Number.NaN);
  }
  const after = bytesOf(await session.read(frozen));
  session.dispose();
  return { losses, before, after };
}

const native = loadBinding();
const backends = (['cpu', 'wasm', 'tensorflow'] as const).map((backend) => {
  const isMissing = backend === 'tensorflow' && !native.isLoaded;
  return {
    backend,
    isMissing,
    title: `${backend}${isMissing ? ' (skipped: TensorFlow is not set up here)' : ''}`,
  };
});

describe.each(backends)('on $title', ({ backend, isMissing }) => {
  test.skipIf(isMissing)('training above a frozen normalisation leaves its statistics alone', async () => {
    const { losses, before, after } = await train(backend);
    losses.slice(1).forEach((loss, index) => expect(loss).toBeLessThan(losses[index] ?? 0));
    expect(losses[19]).toBeLessThan(0.7 * (losses[0] ?? 0));
    expect(after).toEqual(before);
    expect(after).toEqual(
      bytesOf(Object.fromEntries(frozen.map((name) => [name, startValues[name] ?? new Float32Array()]))),
    );
  });
});

test.each(backends.slice(1).filter(({ isMissing }) => !isMissing))(
  'the losses on $title are those of plain JavaScript',
  async ({ backend }) => {
    const [found, expected] = [await train(backend), await train('cpu')];
    found.losses.forEach((loss, index) => expect(loss).toBeCloseTo(expected.losses[index] ?? Number.NaN, 4));
  },
);
