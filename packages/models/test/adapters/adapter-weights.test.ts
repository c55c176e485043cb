import { Program, constant, createSession, gradients, loadBinding, mul, sum } from '@joyul/compute';
import { describe, expect, test } from 'vitest';
import { AdapterMerger, drawAdapters, planAdapters } from '../../src/index.ts';
import type { AdapterSpec, NamedTensor } from '../../src/index.ts';
import { buildLogits, largestDifference, readBase, runLogits, specsOf } from './tiny-models.ts';

const plan = (variant: AdapterSpec['variant']): ReturnType<typeof planAdapters> =>
  planAdapters({ variant, rank: 3, alpha: 5, targets: 'all-linear' }, specsOf('bert'));

const backends = loadBinding().isLoaded ? (['cpu', 'tensorflow'] as const) : (['cpu'] as const);

/** Values that look random and are always the same, between −0.2 and 0.2. */
const wave = (tensor: NamedTensor, phase: number): NamedTensor => ({
  ...tensor,
  data: tensor.data.map((value, index) => value + 0.2 * Math.sin(12.9898 * (index + 1) + 78.233 * phase)),
});

describe.each(['lora', 'rslora', 'dora'] as const)('%s', (variant) => {
  test('starts with the answers of the base model', async () => {
    const base = await readBase('bert');
    const adapters = drawAdapters(plan(variant), base, 1);
    const adapted = await runLogits('bert', [...base.values(), ...adapters], plan(variant));
    expect(largestDifference(adapted, await runLogits('bert', base.values()))).toBeLessThan(1e-5);
  });

  test("is drawn the same way from the same seed, within PyTorch's bounds", async () => {
    const base = await readBase('bert');
    const adapters = drawAdapters(plan(variant), base, 1);
    expect(drawAdapters(plan(variant), base, 1)).toEqual(adapters);
    expect(drawAdapters(plan(variant), base, 2)).not.toEqual(adapters);
    const [down] = adapters;
    const largest = Math.max(...(down?.data ?? []).map(Math.abs));
    expect([largest <= 1 / Math.sqrt(32), largest > 0.9 / Math.sqrt(32)]).toEqual([true, true]);
  });

  test.each(backends)('has the gradients of finite differences on %s', async (backend) => {
    const base = await readBase('bert');
    const adapters = drawAdapters(plan(variant), base, 1).map(wave);
    const found = await runGradients(variant, [...base.values(), ...adapters], backend);
    for (const tensor of adapters.filter((_, index) => index % 5 === 0)) {
      const at = (7 * tensor.data.length) % 11;
      const slope = await measureSlope(variant, [...base.values(), ...adapters], tensor, at);
      expect(found[tensor.name]?.[at]).toBeCloseTo(slope, 2);
    }
  });
});

/** The logits mixed into one number, so that each counts in another way. */
function build(program: Program, variant: AdapterSpec['variant']): ReturnType<typeof sum> {
  const logits = buildLogits(program, 'bert', plan(variant));
  return sum(mul(logits, constant([0.7, -0.4, 1.1, -0.9, 0.3, 0.6], [2, 3])));
}

async function runGradients(
  variant: AdapterSpec['variant'],
  tensors: readonly NamedTensor[],
  backend: 'cpu' | 'tensorflow',
): Promise<Readonly<Record<string, ArrayLike<number>>>> {
  const program = new Program();
  const loss = build(program, variant);
  const trained = program.variables.filter((variable) => variable.name.includes('.lora_'));
  const results = gradients(loss, trained);
  program.entry('gradients', () => ({
    outputs: Object.fromEntries(trained.map((variable, index) => [variable.name, results[index] ?? loss])),
  }));
  const session = await createSession(program, { backend });
  await session.write(Object.fromEntries(tensors.map((tensor) => [tensor.name, tensor.data])));
  const outputs = await session.run('gradients', {});
  session.dispose();
  return outputs;
}

/** The slope along one number. DoRA's norms are constants for gradients: rows keep the length that they had. */
async function measureSlope(
  variant: AdapterSpec['variant'],
  tensors: readonly NamedTensor[],
  { name }: NamedTensor,
  at: number,
): Promise<number> {
  const step = 1e-2;
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const merged = (change: number): readonly NamedTensor[] => {
    const moved = tensors.map((tensor) =>
      tensor.name === name
        ? { ...tensor, data: tensor.data.map((value, index) => (index === at ? value + change : value)) }
        : tensor,
    );
    if (variant !== 'dora' || name.endsWith('lora_magnitude_vector'))
      return moved.map((tensor) => mergerOf(variant, moved).merge(tensor));
    return moved.map((tensor) => mergeWithNormsOf(tensor, moved, byName));
  };
  const value = async (change: number): Promise<number> => {
    const logits = await runLogits(
      'bert',
      merged(change).filter((tensor) => !tensor.name.includes('.lora_')),
    );
    return [0.7, -0.4, 1.1, -0.9, 0.3, 0.6].reduce(
      (total, weight, index) => total + weight * (logits[index] ?? 0),
      0,
    );
  };
  return ((await value(step)) - (await value(-step))) / (2 * step);
}

const mergerOf = (variant: AdapterSpec['variant'], tensors: readonly NamedTensor[]): AdapterMerger =>
  new AdapterMerger(plan(variant), new Map(tensors.map((tensor) => [tensor.name, tensor])));

/** m/‖W + sBA‖ before the change, times W + sBA after it. */
function mergeWithNormsOf(
  tensor: NamedTensor,
  moved: readonly NamedTensor[],
  before: ReadonlyMap<string, NamedTensor>,
): NamedTensor {
  const layer = tensor.name.replace(/\.weight$/, '');
  const magnitude = before.get(`${layer}.lora_magnitude_vector`);
  const base = before.get(tensor.name);
  if (magnitude === undefined || base === undefined) return tensor;
  const width = tensor.shape[1] ?? 1;
  const old = mergerOf('lora', [...before.values()]).merge(base).data;
  const lengths = magnitude.data.map((_, row) => Math.hypot(...old.subarray(row * width, (row + 1) * width)));
  const sum = mergerOf('lora', moved).merge(tensor).data;
  return {
    ...tensor,
    data: sum.map((value, index) => {
      const row = Math.floor(index / width);
      return (value * (magnitude.data[row] ?? 0)) / (lengths[row] ?? 1);
    }),
  };
}
