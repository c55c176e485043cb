import { describe, expect, test } from 'vitest';
import * as joyul from '../src/index.ts';
import type { Tensor } from '../src/index.ts';

const {
  Program,
  add,
  argMax,
  attention,
  batchMatMul,
  broadcastTo,
  cast,
  causalBias,
  concat,
  constant,
  createSession,
  differentiableOps,
  div,
  erf,
  exp,
  gather,
  gelu,
  geluTanh,
  gradients,
  halfSumOfSquares,
  headCrossEntropy,
  layerNorm,
  linear,
  log,
  logSoftmax,
  makeRopeTables,
  matMul,
  maskedMean,
  maximum,
  mean,
  minimum,
  mul,
  neg,
  pow,
  rope,
  reshape,
  relu,
  rmsNorm,
  rsqrt,
  segmentSum,
  sigmoid,
  slice,
  softmax,
  softmaxCrossEntropy,
  sqrt,
  square,
  squaredDifference,
  sub,
  sum,
  swiglu,
  tanh,
  transpose,
  where,
  greaterEqual,
  loadBinding,
} = joyul;

/** Numbers between 0.2 and 1.2 that look random and are always the same. */
const values = (count: number, phase: number): Float32Array =>
  Float32Array.from(
    { length: count },
    (_, index) => 0.7 + 0.5 * Math.sin(12.9898 * (index + 1) + 78.233 * phase),
  );

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
/** A scalar that depends on every element in another way. */
const mix = (x: Tensor): Tensor => sum(mul(x, constant(values(size(x.shape), 9), x.shape)));

type Case = readonly [
  name: string,
  shapes: readonly (readonly number[])[],
  build: (...x: Tensor[]) => Tensor,
];
const one = (f: (x: Tensor) => Tensor) => (x?: Tensor) => f(x as Tensor); // Each case gets as many tensors as it has shapes.
const two = (f: (x: Tensor, y: Tensor) => Tensor) => (x?: Tensor, y?: Tensor) => f(x as Tensor, y as Tensor);
const three = (f: (x: Tensor, y: Tensor, z: Tensor) => Tensor) => (x?: Tensor, y?: Tensor, z?: Tensor) =>
  f(x as Tensor, y as Tensor, z as Tensor);
const ids = constant([2, 0, 2, 1], [4], 'int32');
const labels = constant([1, 0, -100], [3], 'int32');

const cases: readonly Case[] = [
  ['AddV2, broadcast', [[2, 3], [3]], two((x, y) => mul(add(x, y), add(x, y)))],
  [
    'Sub',
    [
      [2, 3],
      [2, 1],
    ],
    two((x, y) => square(sub(x, y))),
  ],
  [
    'Mul',
    [
      [2, 3],
      [2, 3],
    ],
    two(mul),
  ],
  [
    'RealDiv',
    [
      [2, 3],
      [1, 3],
    ],
    two(div),
  ],
  ['Maximum', [[6], [6]], two((x, y) => maximum(mul(x, x), y))],
  ['Minimum', [[6], [6]], two((x, y) => minimum(mul(x, x), y))],
  ['SquaredDifference', [[2, 3], [3]], two(squaredDifference)],
  ['Neg', [[4]], one((x) => square(neg(x)))],
  ['Square', [[4]], one(square)],
  ['Sqrt', [[4]], one(sqrt)],
  ['Rsqrt', [[4]], one(rsqrt)],
  ['Exp', [[4]], one(exp)],
  ['Log', [[4]], one(log)],
  ['Tanh', [[4]], one(tanh)],
  ['Sigmoid', [[4]], one(sigmoid)],
  ['Erf', [[4]], one(erf)],
  ['Relu', [[6]], one((x) => relu(sub(x, 0.65)))],
  [
    'Cast and SelectV2',
    [[6], [6]],
    two((x, y) => where(greaterEqual(x, 0.7), cast(square(x), 'float32'), y)),
  ],
  ['Reshape and Transpose', [[2, 3, 4]], one((x) => square(transpose(reshape(x, [3, 2, 4]), [2, 0, 1])))],
  ['Slice', [[4, 5]], one((x) => square(slice(x, [1, 2], [2, -1])))],
  [
    'ConcatV2',
    [
      [2, 3],
      [2, 2],
    ],
    two((x, y) => square(concat([x, y], 1))),
  ],
  ['BroadcastTo', [[3, 1]], one((x) => square(broadcastTo(x, [2, 3, 4])))],
  ['GatherV2', [[3, 2]], one((x) => square(gather(x, ids)))],
  ['UnsortedSegmentSum', [[4, 2]], one((x) => square(segmentSum(x, ids, 3)))],
  ['Sum and Mean', [[2, 3, 4]], one((x) => mul(square(sum(x, [1])), mean(x, [-2])))],
  ['Softmax', [[2, 5]], one(softmax)],
  ['LogSoftmax', [[2, 5]], one(logSoftmax)],
  [
    'MatMul',
    [
      [2, 3],
      [3, 4],
    ],
    two((x, y) => square(matMul(x, y))),
  ],
  [
    'MatMul, both transposed',
    [
      [3, 2],
      [4, 3],
    ],
    two((x, y) => square(matMul(x, y, { transposeA: true, transposeB: true }))),
  ],
  [
    'MatMul, first transposed',
    [
      [3, 2],
      [3, 4],
    ],
    two((x, y) => square(matMul(x, y, { transposeA: true }))),
  ],
  [
    'BatchMatMulV2',
    [
      [2, 2, 3],
      [2, 4, 3],
    ],
    two((x, y) => square(batchMatMul(x, y, { transposeB: true }))),
  ],
  ['linear (BiasAdd)', [[2, 3], [4, 3], [4]], three((x, w, b) => square(linear(x, w, b)))],
  ['layerNorm', [[3, 5], [5], [5]], three((x, g, b) => square(layerNorm(x, g, b, 1e-5)))],
  ['rmsNorm', [[3, 5], [5]], two((x, w) => square(rmsNorm(x, w, 1e-5)))],
  ['gelu', [[6]], one((x) => gelu(sub(x, 0.7)))],
  ['swiglu', [[6], [6]], two(swiglu)],
  [
    'attention',
    [
      [1, 2, 3, 4],
      [1, 2, 3, 4],
      [1, 2, 3, 4],
    ],
    three((q, k, v) => square(attention(q, k, v, constant([0, 0, -1], [1, 1, 1, 3])))),
  ],
  [
    'attention, heads in groups, causal',
    [
      [2, 4, 3, 2],
      [2, 2, 3, 2],
      [2, 2, 3, 2],
    ],
    three((q, k, v) => square(attention(q, k, v, causalBias(3)))),
  ],
  ['rope', [[2, 2, 3, 4]], one((x) => square(rope(x, makeRopeTables(3, 4))))],
  ['geluTanh', [[6]], one((x) => geluTanh(sub(x, 0.7)))],
  ['Pow', [[6]], one((x) => pow(x, 2.5))],
  [
    'headCrossEntropy, in chunks',
    [
      [3, 4],
      [5, 4],
    ],
    two(
      (x, head) =>
        headCrossEntropy(x, head, labels, { chunkRows: 2, rowWeights: constant([1, 2, 3], [3]) }).total,
    ),
  ],
  [
    'headCrossEntropy, some rows after others',
    [
      [3, 4],
      [5, 4],
    ],
    two((x, head) => {
      const trains = { states: true, head: true };
      return headCrossEntropy(x, head, labels, { chunkRows: 2, trains }).total;
    }),
  ],
  ['L2Loss', [[2, 3]], one((x) => mul(halfSumOfSquares(x), halfSumOfSquares(x)))],
  ['maskedMean', [[2, 3, 2]], one((x) => square(maskedMean(x, constant([1, 1, 0, 1, 0, 0], [2, 3]))))],
  [
    'softmaxCrossEntropy',
    [[3, 4]],
    one((x) => softmaxCrossEntropy(x, labels, { classWeights: constant([1, 2, 3, 4], [4]) }).total),
  ],
  [
    'softmaxCrossEntropy, smoothed',
    [[3, 4]],
    one((x) => softmaxCrossEntropy(x, labels, { labelSmoothing: 0.1 }).total),
  ],
];

/** A program whose entries give the scalar and its gradients. */
function makeProgram([, shapes, build]: Case): joyul.Program {
  const program = new Program();
  program.entry('run', (builder) => {
    const inputs = shapes.map((shape, index) => builder.input(`x${index}`, 'float32', shape));
    const loss = mix(build(...inputs));
    const found = gradients(loss, inputs);
    return {
      outputs: { loss, ...Object.fromEntries(found.map((gradient, index) => [`g${index}`, gradient])) },
    };
  });
  return program;
}

const feedsOf = ([, shapes]: Case): Record<string, Float32Array> =>
  Object.fromEntries(shapes.map((shape, index) => [`x${index}`, values(size(shape), index)]));

describe('gradients equal finite differences', () => {
  test.each(cases)('%s', async (...item) => {
    const session = await createSession(makeProgram(item), { backend: 'cpu' });
    const feeds = feedsOf(item);
    const exact = await session.run('run', feeds);
    const step = 2e-3;
    for (const [name, data] of Object.entries(feeds)) {
      for (let index = 0; index < data.length; index++) {
        const shifted = async (by: number): Promise<number> => {
          const copy = data.slice();
          copy[index] = (copy[index] ?? 0) + by;
          return (await session.run('run', { ...feeds, [name]: copy }))['loss']?.[0] ?? Number.NaN;
        };
        const numeric = ((await shifted(step)) - (await shifted(-step))) / (2 * step);
        const gradient = exact[name.replace('x', 'g')]?.[index] ?? Number.NaN;
        expect(Math.abs(gradient - numeric)).toBeLessThan(5e-3 * Math.max(1, Math.abs(numeric)));
      }
    }
    session.dispose();
  });

  test('every operation with a gradient is in a case above', () => {
    const used = new Set(
      cases.flatMap((item) =>
        makeProgram(item).entries.flatMap((entry) => opsOf(entry.outputs.map((o) => o.tensor))),
      ),
    );
    expect(differentiableOps.filter((op) => !used.has(op))).toEqual([]);
  });
});

function opsOf(tensors: readonly Tensor[]): string[] {
  const seen = new Set<joyul.Tensor['node']>();
  const visit = (tensor: Tensor): void => {
    if (seen.has(tensor.node)) return;
    seen.add(tensor.node);
    tensor.node.inputs.forEach(visit);
  };
  tensors.forEach(visit);
  return [...seen].map((node) => node.op);
}

const native = loadBinding();

describe.each(['wasm', 'tensorflow'] as const)('%s agrees with plain JavaScript', (backend) => {
  const isMissing = backend === 'tensorflow' && !native.isLoaded;
  test.skipIf(isMissing).each(cases)(
    `%s${isMissing ? ' (skipped: TensorFlow is not set up here)' : ''}`,
    async (...item) => {
      const expected = await createSession(makeProgram(item), { backend: 'cpu' }).then((session) =>
        session.run('run', feedsOf(item)),
      );
      const session = await createSession(makeProgram(item), { backend });
      const found = await session.run('run', feedsOf(item));
      for (const [name, data] of Object.entries(expected)) {
        data.forEach((value, index) => {
          expect(Math.abs((found[name]?.[index] ?? Number.NaN) - value)).toBeLessThan(
            1e-4 * Math.max(1, Math.abs(value)),
          );
        });
      }
      session.dispose();
    },
  );
});

test('argMax gives the index of the largest element', async () => {
  const program = new Program();
  program.entry('run', (builder) => ({ outputs: { index: argMax(builder.input('x', 'float32', [2, 3])) } }));
  const session = await createSession(program, { backend: 'cpu' });
  const { index } = await session.run('run', { x: Float32Array.of(1, 3, 2, 9, 3, 4) });
  expect([...(index ?? [])]).toEqual([1, 0]);
});

/** A program with one input and one output. */
async function evaluate(
  shape: readonly number[],
  data: Float32Array,
  build: (x: Tensor) => Tensor,
): Promise<number[]> {
  const program = new Program();
  program.entry('run', (builder) => ({ outputs: { y: build(builder.input('x', 'float32', shape)) } }));
  const session = await createSession(program, { backend: 'cpu' });
  const { y } = await session.run('run', { x: data });
  session.dispose();
  return [...(y ?? [])];
}

test('headCrossEntropy in chunks is the cross-entropy of all logits at once', async () => {
  const head = constant(values(20, 1), [5, 4]);
  const x = values(12, 0);
  const [whole] = await evaluate(
    [3, 4],
    x,
    (states) => softmaxCrossEntropy(matMul(states, head, { transposeB: true }), labels).total,
  );
  const [chunked] = await evaluate(
    [3, 4],
    x,
    (states) => headCrossEntropy(states, head, labels, { chunkRows: 2 }).total,
  );
  expect(chunked).toBeCloseTo(whole ?? Number.NaN, 5);
});

test('rope turns each pair of halves by position times frequency', async () => {
  const y = await evaluate([1, 1, 2, 4], Float32Array.of(1, 2, 3, 4, 1, 2, 3, 4), (x) =>
    rope(x, makeRopeTables(2, 4)),
  );
  const turned = [1, 0.01].flatMap((angle, i) => {
    const [a, b] = [1 + i, 3 + i];
    return [
      [i, a * Math.cos(angle) - b * Math.sin(angle)] as const,
      [i + 2, b * Math.cos(angle) + a * Math.sin(angle)] as const,
    ];
  });
  const expected = [1, 2, 3, 4, 0, 0, 0, 0];
  for (const [index, value] of turned) expected[4 + index] = value;
  y.forEach((value, index) => expect(value).toBeCloseTo(expected[index] ?? Number.NaN, 5));
});

test('causal attention never looks ahead', async () => {
  const mixFirst = async (later: number): Promise<number> => {
    const x = Float32Array.of(1, 2, later, -later);
    const [first = Number.NaN] = await evaluate([1, 1, 2, 2], x, (q) => attention(q, q, q, causalBias(2)));
    return first;
  };
  expect(await mixFirst(3)).toBe(await mixFirst(30));
});
