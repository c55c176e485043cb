import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSession, loadBinding } from '@joyul/compute';
import type { Session } from '@joyul/compute';
import { drawWeight } from '@joyul/models';
import type { BertConfig } from '@joyul/models';
import type { Backend } from '@joyul/plugin-api';
import { writeTinyBert } from '@joyul/testing';
import { expect, test } from 'vitest';
import {
  defaultHparams,
  entryNames,
  makeClassifierProgram,
  openEncoder,
  trainClassifier,
} from '../src/index.ts';

/** Small, but with a table that is large enough for the compiled update. */
const config: BertConfig = {
  vocabSize: 2048,
  hiddenSize: 32,
  layers: 2,
  heads: 2,
  intermediateSize: 64,
  maxPositions: 16,
  typeVocabSize: 2,
  layerNormEpsilon: 1e-12,
  initializerRange: 0.02,
};
const [batchSize, time] = [2, 8];
/** Counts are exact, so a few iterations tell as much as the thousand of the slow tests. */
const wasmIterations = process.env['JOYUL_TEST_SLOW'] === '1' ? 1000 : 30;

async function openSession(backend: Backend): Promise<Session> {
  const { program } = makeClassifierProgram(
    { config, classes: 2, pooling: 'mean', batchSize, times: [time], checkpointing: true },
    { isTrained: () => true, weightDecay: 0.01, maxGradNorm: 1, labelSmoothing: 0 },
  );
  const session = await createSession(program, { backend });
  await session.write(
    program.variables.map(({ name, shape, isTrainable }) => {
      const init = isTrainable ? (name.includes('LayerNorm.weight') ? 'ones' : 'normal') : 'zeros';
      return [name, drawWeight({ name, shape, init }, 0.02, 1).data] as const;
    }),
  );
  return session;
}

const iterate = (session: Session, iteration: number): Promise<unknown> =>
  session.run(entryNames.train(time), {
    ids: Int32Array.from(
      { length: batchSize * time },
      (_, index) => (index * 37 + iteration) % config.vocabSize,
    ),
    mask: new Float32Array(batchSize * time).fill(1),
    labels: Int32Array.of(0, 1),
    learningRate: 1e-4,
    headLearningRate: 1e-4,
    beta1Power: 0.9 ** iteration,
    beta2Power: 0.999 ** iteration,
  });

test.skipIf(!loadBinding().isLoaded)(
  'a thousand training iterations on TensorFlow take no more memory',
  async () => {
    const session = await openSession('tensorflow');
    try {
      for (let iteration = 1; iteration <= 300; iteration++) await iterate(session, iteration);
      const before = process.memoryUsage.rss();
      for (let iteration = 301; iteration <= 1300; iteration++) await iterate(session, iteration);
      // 30 MB is less than a hundred bytes for each node of the graph and each iteration.
      expect(process.memoryUsage.rss() - before).toBeLessThan(30e6);
    } finally {
      session.dispose();
    }
  },
);

test('training iterations on WebAssembly leave no tensors and no bytes behind', async () => {
  const session = await openSession('wasm');
  const tf = await import('@tensorflow/tfjs-core');
  try {
    for (let iteration = 1; iteration <= 3; iteration++) await iterate(session, iteration);
    const { numTensors, numBytes } = tf.memory();
    for (let iteration = 4; iteration <= 3 + wasmIterations; iteration++) await iterate(session, iteration);
    expect(tf.memory()).toMatchObject({ numTensors, numBytes });
  } finally {
    session.dispose();
  }
});

test('training that would run out of memory is refused before a weight is read', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'joyul-memory-'));
  try {
    await writeTinyBert(dir);
    const model = await openEncoder(dir);
    const examples = [0, 1].map((label) => ({ ids: Int32Array.from([2, 5, 6, 3]), label }));
    const training = trainClassifier({
      model: { ...model, readTensors: () => Promise.reject(new Error('Weights were read.')) },
      labels: ['no', 'yes'],
      train: examples,
      validation: examples,
      padId: 0,
      strategy: { blocks: ['embeddings', 'layer.0'], pooling: 'mean' },
      hparams: { ...defaultHparams('full'), batch_size: 2 },
      seed: 1,
      memoryLimitBytes: 1e6,
    });
    await expect(training).rejects.toMatchObject({
      code: 'OUT_OF_MEMORY',
      help: expect.stringMatching(
        /`gradient_checkpointing: true` in the hparams step .*`batch_size: 1` with `gradient_accumulation_steps: 2`/,
      ) as string,
    });
  } finally {
    await rm(dir, { recursive: true });
  }
});
