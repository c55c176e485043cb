/**
 * Trainings that are killed with SIGKILL at random iterations, again and again, and go on until they are done: they end
 * with the bytes of one that nothing befell. Kills of one case again: JOYUL_KILL_SEED with the seed that was printed.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadBinding } from '@joyul/compute';
import { bertWeightSpecs, classifierSpecs, drawWeight, parseBertConfig, writeModel } from '@joyul/models';
import { makeRandom } from '@joyul/data';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeTinyLlama } from '../language/support.ts';
import { TemporaryFolder } from '../trunk/support.ts';
import type { ChildOrder } from './train-child.ts';

const isSlow = process.env['JOYUL_TEST_SLOW'] === '1';
const kills = isSlow ? 12 : 2;
const seed = Number(process.env['JOYUL_KILL_SEED'] ?? Math.floor(Math.random() * 1e6));
const native = loadBinding();

const folder = new TemporaryFolder();

beforeAll(async () => {
  await writeTinyLlama(join(folder.path, 'language'));
  const rawConfig = {
    model_type: 'bert',
    vocab_size: 48,
    hidden_size: 16,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 32,
    max_position_embeddings: 32,
    initializer_range: 0.3,
  };
  const config = parseBertConfig(rawConfig);
  const specs = [...bertWeightSpecs(config), ...classifierSpecs(config, 2)];
  await writeModel(join(folder.path, 'classifier'), {
    rawConfig,
    tensors: specs.map((spec) => drawWeight(spec, config.initializerRange, 3)),
    labels: ['even', 'odd'],
    tokenizerFrom: folder.path,
  });
});
afterAll(() => {
  folder[Symbol.dispose]();
});

/** What a child is told, and its threads within an operation, which are part of what decides the bytes. */
type Order = ChildOrder & { readonly threads: number };

/** Runs a child, and gives the signal that ended it. */
async function runChild({ threads, ...order }: Order): Promise<NodeJS.Signals | null> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, 'train-child.ts'), JSON.stringify(order)],
    {
      env: { ...process.env, TF_NUM_INTRAOP_THREADS: String(threads), TF_CPP_MIN_LOG_LEVEL: '3' },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let errors = '';
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()));
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) => {
    child.on('close', (...end) => resolve(end));
  });
  if (code !== 0 && signal !== 'SIGKILL') throw new Error(errors);
  return signal;
}

/** Digests of a training's last checkpoint: weights and the optimizer's slots, the best weights, and the state. */
async function digestCheckpoint(scratchDir: string): Promise<readonly string[]> {
  const names = ['state.safetensors', 'best.safetensors', 'state.json'];
  const files = names.map((name) => readFile(join(scratchDir, 'checkpoint', name)));
  return (await Promise.all(files)).map((bytes) => createHash('sha256').update(bytes).digest('hex'));
}

/** Trains with kills, and says how many there were. */
async function trainWithKills(order: Order): Promise<number> {
  const random = makeRandom(seed);
  for (let count = 0; count < kills; count++) {
    const kill = { iterations: Math.floor(random() * 6), afterMs: Math.floor(random() * 12) };
    // One whose training ends before its moment comes is as good as the last.
    if ((await runChild({ ...order, kill })) === null) return count;
  }
  await runChild(order);
  return kills;
}

type Case = Pick<Order, 'task' | 'backend' | 'precision' | 'threads'>;
const quick: readonly Case[] = [
  { task: 'language', backend: 'wasm', precision: 'float32', threads: 2 },
  { task: 'language', backend: 'tensorflow', precision: 'bfloat16', threads: 2 },
  { task: 'classifier', backend: 'tensorflow', precision: 'float32', threads: 2 },
];
const slow: readonly Case[] = [
  { task: 'language', backend: 'cpu', precision: 'float32', threads: 2 },
  { task: 'language', backend: 'tensorflow', precision: 'float32', threads: 2 },
  { task: 'language', backend: 'tensorflow', precision: 'float32', threads: 1 },
  { task: 'classifier', backend: 'cpu', precision: 'float32', threads: 2 },
  { task: 'classifier', backend: 'wasm', precision: 'float32', threads: 2 },
  { task: 'classifier', backend: 'tensorflow', precision: 'bfloat16', threads: 2 },
];
const cases = (isSlow ? [...quick, ...slow] : quick).filter(
  ({ backend }) => backend !== 'tensorflow' || native.isLoaded,
);
const why = native.isLoaded ? '' : ' (without TensorFlow, which is not set up here)';

test.each(cases)(
  `a killed training goes on exactly: $task on $backend in $precision, threads: $threads${why}`,
  { timeout: 60_000 + 10_000 * kills },
  async (given) => {
    const place = join(folder.path, Object.values(given).join('-'));
    const order = { ...given, modelDir: join(folder.path, given.task) };
    const [, found] = await Promise.all([
      runChild({ ...order, scratchDir: join(place, 'straight') }),
      trainWithKills({ ...order, scratchDir: join(place, 'killed') }),
    ]);
    console.log(`${Object.values(given).join(', ')}: killed ${found} times, seed ${seed}`);
    expect(found).toBeGreaterThan(0);
    expect(await digestCheckpoint(join(place, 'killed'))).toEqual(
      await digestCheckpoint(join(place, 'straight')),
    );
  },
);
