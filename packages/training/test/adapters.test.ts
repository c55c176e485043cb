import { bertWeightSpecs, classifierSpecs, drawWeight } from '@joyul/models';
import type { NamedTensor } from '@joyul/models';
import { expect, test } from 'vitest';
import { drawAdapter, measureMerge, proveTrainability } from '../src/index.ts';

const spec = { variant: 'lora', rank: 2, alpha: 4, targets: ['query'] } as const;

const tensor = (name: string, ...values: readonly number[]): readonly [string, NamedTensor] => [
  name,
  { name, shape: [values.length], data: Float32Array.from(values) },
];

const layer = 'encoder.layer.0.attention.self.query';
const before = new Map([
  tensor(`${layer}.weight`, 1, 2),
  tensor(`${layer}.lora_A.weight`, 1, 1),
  tensor(`${layer}.lora_B.weight`, 0, 0),
]);
const isTrained = (name: string): boolean => name.includes('.lora_');
const after = (...changes: readonly (readonly [string, NamedTensor])[]): ReadonlyMap<string, NamedTensor> =>
  new Map([...before, ...changes]);

test('adapters that moved an effective weight are fine-tuning, though no pretrained tensor changed', () => {
  const effective = [{ layer, relativeChange: 0.1 }];
  const moved = after(tensor(`${layer}.lora_B.weight`, 1, 1));
  expect(proveTrainability(before, moved, isTrained, { effective })).toMatchObject({
    isFineTuning: true,
    violations: [],
    effective,
  });
});

test('adapters without an effect are not fine-tuning, and a B that did not move is a violation', () => {
  const idle = after(tensor(`${layer}.lora_A.weight`, 3, 1));
  expect(
    proveTrainability(before, idle, isTrained, { effective: [{ layer, relativeChange: 0 }] }),
  ).toMatchObject({
    isFineTuning: false,
    violations: [`${layer}.lora_B.weight was to be trained, but it did not move.`],
  });
});

test('a frozen weight that moved beside an adapter is a violation', () => {
  const moved = after(tensor(`${layer}.weight`, 1, 3), tensor(`${layer}.lora_B.weight`, 1, 1));
  expect(proveTrainability(before, moved, isTrained).violations).toEqual([
    `${layer}.weight was frozen, but it moved.`,
  ]);
});

const config = {
  vocabSize: 12,
  hiddenSize: 8,
  layers: 1,
  heads: 2,
  intermediateSize: 16,
  maxPositions: 8,
  typeVocabSize: 2,
  layerNormEpsilon: 1e-12,
  initializerRange: 0.2,
};

test('an adapter beside other weights than the merged ones is noticed', async () => {
  const specs = [...bertWeightSpecs(config), ...classifierSpecs(config, 2)];
  const base = new Map(specs.map((item) => [item.name, drawWeight(item, 0.2, 1)]));
  const adapter = drawAdapter(config, spec, base, 1);
  const check = {
    config,
    classes: 2,
    pooling: 'mean',
    padId: 0,
    examples: [{ ids: Int32Array.of(2, 7, 9, 3), label: 0 }],
    backend: 'cpu',
  } as const;
  expect(await measureMerge(check, base, adapter, base)).toBeLessThan(1e-6);
  const other = new Map([...base, tensor('classifier.bias', 1, 0)]);
  expect(await measureMerge(check, base, adapter, other)).toBeCloseTo(1, 5);
});
