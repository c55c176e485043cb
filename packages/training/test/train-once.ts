/**
 * Trains all of MiniLM for some iterations and prints a digest of its weights; determinism.slow.test.ts runs it in
 * processes of its own.
 */
import { createHash } from 'node:crypto';
import { adamWOptimizer, createSession, sizeOf } from '@joyul/compute';
import { entryNames, makeClassifierProgram, openEncoder } from '../src/index.ts';

const [dir = '', precision, iterations = '20'] = process.argv.slice(2);
const [batchSize, time, classes] = [16, 64, 4];
const optimizer = adamWOptimizer();
const model = await openEncoder(dir);
const { program, weights } = makeClassifierProgram(
  { config: model.config, classes, pooling: 'mean', batchSize, times: [time] },
  { isTrained: () => true, weightDecay: 0.01, maxGradNorm: 1, labelSmoothing: 0, optimizer },
);
const session = await createSession(program, {
  backend: 'tensorflow',
  matmul: precision === 'bfloat16' ? 'bfloat16' : 'float32',
});
const zeros = program.variables.map(({ name, shape }) => [name, new Float32Array(sizeOf(shape))] as const);
const own = [...(await model.readTensors()).values()].map(({ name, data }) => [name, data] as const);
const head = Float32Array.from({ length: classes * model.config.hiddenSize }, (_, index) => Math.sin(index));
await session.write({ ...Object.fromEntries([...zeros, ...own]), 'classifier.weight': head });
for (let t = 1; t <= Number(iterations); t++) {
  const rows = Array.from({ length: batchSize }, (_, row) => row);
  await session.run(entryNames.train(time), {
    // Some tokens repeat, so that their rows of the embedding's gradient are sums.
    ids: Int32Array.from({ length: batchSize * time }, (_, at) => 1000 + ((at * at * 31 + t * 977) % 2003)),
    mask: Float32Array.from(rows.flatMap((row) => Array.from({ length: time }, (_, at) => Number(at < 20 + row)))), // prettier-ignore
    labels: Int32Array.from(rows, (row) => (row * t) % classes),
    learningRate: 5e-4,
    headLearningRate: 1e-3,
    ...optimizer.scalarsAt(t),
  });
}
const hash = createHash('sha256');
for (const data of Object.values(await session.read([...weights.keys()]))) hash.update(new Uint8Array(data.buffer)); // prettier-ignore
session.dispose();
process.stdout.write(`${hash.digest('hex')}\n`);
