import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { adamWOptimizer, createSession, loadBinding, momentNames, sizeOf } from '@joyul/compute';
import type { Feeds, Session } from '@joyul/compute';
import { isMaskedHead, openModel } from '@joyul/models';
import { beforeAll, afterAll, describe, expect, test } from 'vitest';
import type { Objective } from '../../src/index.ts';
import { encoderEntries, makeEncoderProgram } from '../../src/encoder/encoder-program.ts';
import { TemporaryFolder } from '../trunk/support.ts';
import { writeTinyEncoder } from './tiny-encoder.ts';

interface Step {
  readonly ids: readonly number[];
  readonly mask: readonly number[];
  readonly seed: number;
  readonly loss: number;
  readonly grad_norm: number;
}

/** What PyTorch and transformers computed; see make_reference.py. */
interface Reference {
  readonly batch: number;
  readonly time: number;
  readonly contrastive: readonly (Step & { readonly filled: number })[];
  readonly masked: readonly (Step & {
    readonly rows: readonly number[];
    readonly words: readonly number[];
  })[];
  readonly units: readonly number[];
  readonly logits: readonly number[];
  readonly stillLoss: number;
}

const file = join(import.meta.dirname, 'pytorch-reference.json');
const reference = JSON.parse(readFileSync(file, 'utf8')) as Reference; // Written by make_reference.py.
const { batch, time } = reference;
const folder = new TemporaryFolder();
const optimizer = adamWOptimizer();
const native = loadBinding();

beforeAll(() => writeTinyEncoder(join(folder.path, 'tiny')));
afterAll(() => {
  folder[Symbol.dispose]();
});

/** The tiny encoder, ready to train on batches of the reference. */
async function open(objective: Objective, backend: Session['backend']): Promise<Session> {
  const model = await openModel(join(folder.path, 'tiny'));
  if (model.architecture !== 'bert') throw new Error('This is not an encoder.');
  const { program, weights } = makeEncoderProgram(
    {
      config: model.config,
      objective,
      pooling: 'mean',
      batchSize: batch,
      times: [time],
      dropout: { hidden: 0.1, attention: 0.1 },
    },
    { isTrained: () => true, weightDecay: 0.01, maxGradNorm: 1 },
  );
  const session = await createSession(program, { backend });
  for (const { name, shape } of weights.values())
    for (const slot of momentNames(name)) await session.write({ [slot]: new Float32Array(sizeOf(shape)) });
  for (const { name, readData } of [...model.tensors.values(), ...model.maskedHead])
    if (weights.has(name)) await session.write({ [name]: await readData() });
  return session;
}

/** Up to `count` numbers, and −100 beyond them. */
const fill = (numbers: readonly number[], count: number, rest: number): Int32Array =>
  Int32Array.from({ length: count }, (_, at) => numbers[at] ?? rest);

const textsOf = ({ ids, mask }: Step): { ids: Int32Array; mask: Float32Array } => ({
  ids: Int32Array.from(ids),
  mask: Float32Array.from(mask),
});

const feedsOf: { readonly [K in Objective]: (step: Reference[K][number]) => Feeds } = {
  contrastive: (step) => ({
    ...textsOf(step),
    labels: Int32Array.from({ length: batch }, (_, row) => (row < step.filled ? row : -100)),
  }),
  masked: (step) => ({
    ...textsOf(step),
    rows: fill(step.rows, batch, 0),
    words: fill(step.words, batch, -100),
  }),
};

const largest = (found: ArrayLike<number>, expected: readonly number[]): number =>
  expected.reduce((most, value, at) => Math.max(most, Math.abs((found[at] ?? Number.NaN) - value)), 0);

async function replay(
  objective: Objective,
  backend: Session['backend'],
): Promise<{ readonly losses: number[]; readonly norms: number[] }> {
  const session = await open(objective, backend);
  const feeds =
    objective === 'contrastive'
      ? reference.contrastive.map((step) => ({
          ...feedsOf.contrastive(step),
          seed: Int32Array.of(step.seed),
        }))
      : reference.masked.map((step) => ({ ...feedsOf.masked(step), seed: Int32Array.of(step.seed) }));
  const [losses, norms]: [number[], number[]] = [[], []];
  for (const [index, inputs] of feeds.entries()) {
    const { loss, gradientNorm } = await session.run(encoderEntries.train(time), {
      ...inputs,
      learningRate: 1e-3,
      ...optimizer.scalarsAt(index + 1),
    });
    losses.push(loss?.[0] ?? Number.NaN);
    norms.push(gradientNorm?.[0] ?? Number.NaN);
  }
  session.dispose();
  return { losses, norms };
}

describe.each(['tensorflow', 'cpu'] as const)('on %s', (backend) => {
  const isMissing = backend === 'tensorflow' && !native.isLoaded;
  const why = isMissing ? ' (skipped: TensorFlow is not set up here)' : '';

  test.skipIf(isMissing).each(['contrastive', 'masked'] as const)(
    `%s: losses and gradient norms are those of PyTorch with the same places dropped${why}`,
    async (objective) => {
      const { losses, norms } = await replay(objective, backend);
      const steps: readonly Step[] = reference[objective];
      expect(largest(losses, steps.map(({ loss }) => loss))).toBeLessThan(2e-4); // prettier-ignore
      norms.forEach((norm, at) => {
        expect(norm / (steps[at]?.grad_norm ?? 0)).toBeCloseTo(1, 3);
      });
    },
  );

  test.skipIf(isMissing)(`embeddings are those of PyTorch${why}`, async () => {
    const session = await open('contrastive', backend);
    const [first] = reference.contrastive;
    if (first === undefined) throw new Error('The reference is empty.');
    const { units } = await session.run(encoderEntries.embed(time), textsOf(first));
    session.dispose();
    expect(largest(units ?? [], reference.units)).toBeLessThan(1e-5);
  });

  test.skipIf(isMissing)(`guesses of masked words are those of BertForMaskedLM${why}`, async () => {
    const session = await open('masked', backend);
    const [first] = reference.masked;
    if (first === undefined) throw new Error('The reference is empty.');
    const { total, weight, logits } = await session.run(encoderEntries.evaluate(time), feedsOf.masked(first));
    session.dispose();
    expect((total?.[0] ?? Number.NaN) / (weight?.[0] ?? Number.NaN)).toBeCloseTo(reference.stillLoss, 4);
    expect(largest(logits ?? [], reference.logits)).toBeLessThan(1e-4);
  });
});

test('the head that guesses words is found by its weights', async () => {
  const model = await openModel(join(folder.path, 'tiny'));
  if (model.architecture !== 'bert') throw new Error('This is not an encoder.');
  expect(model.maskedHead.map(({ name }) => name)).toHaveLength(5);
  expect([...model.tensors.keys()].filter(isMaskedHead)).toEqual([]);
});
