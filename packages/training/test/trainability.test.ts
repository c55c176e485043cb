import { expect, test } from 'vitest';
import { proveUnchanged } from '../src/index.ts';

const modelOf = (values: Readonly<Record<string, readonly number[]>>) => ({
  tensors: new Map(
    Object.entries(values).map(([name, numbers]) => {
      const readData = () => Promise.resolve(Float32Array.from(numbers));
      return [name, { name, shape: [numbers.length], readData }];
    }),
  ),
});
const before = modelOf({ 'layer.0.a': [1, 2], 'layer.0.b': [3] });

test('a model that stayed as it was is proven to have, and is not fine-tuned', async () => {
  const proof = await proveUnchanged(before, modelOf({ 'layer.0.a': [1, 2], 'layer.0.b': [3] }));
  expect(proof).toMatchObject({
    isFineTuning: false,
    trainedTensors: 0,
    trainedWeights: 0,
    totalWeights: 3,
    violations: [],
  });
  expect(proof.tensors.map(({ sha256Before, sha256After }) => sha256Before === sha256After)).toEqual([
    true,
    true,
  ]);
});

test.each([
  ['moved', modelOf({ 'layer.0.a': [1, 2], 'layer.0.b': [4] })],
  ['is missing', modelOf({ 'layer.0.a': [1, 2] })],
])('a tensor that %s is found', async (_, after) => {
  const { violations } = await proveUnchanged(before, after);
  expect(violations).toEqual(['layer.0.b was frozen, but it moved.']);
});

test('of a model that is elsewhere nothing is proven', async () => {
  expect(await proveUnchanged(undefined, undefined)).toEqual({
    version: 1,
    isFineTuning: false,
    trainedTensors: 0,
    trainedWeights: 0,
    totalWeights: 0,
    violations: [],
    tensors: [],
  });
});
