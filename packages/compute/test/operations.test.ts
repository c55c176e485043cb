import { expect, test } from 'vitest';
import {
  Program,
  argMax,
  attention,
  causalBias,
  constant,
  createSession,
  headCrossEntropy,
  makeRopeTables,
  matMul,
  rope,
  softmaxCrossEntropy,
} from '../src/index.ts';
import type { Tensor } from '../src/index.ts';
import { values } from './operation-cases.ts';

const labels = constant([1, 0, -100], [3], 'int32');

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
