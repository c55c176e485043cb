/**
 * Trains a tiny model in a process of its own, going on from what is in its folder, and may kill itself on the way;
 * resume.test.ts runs it.
 */
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openModel } from '@joyul/models';
import type { Backend } from '@joyul/plugin-api';
import { defaultHparams, openEncoder, trainClassifier, trainLanguageModel } from '../../src/index.ts';
import { makeExamples } from '../language/support.ts';

/** What a child is told. */
export interface ChildOrder {
  readonly task: 'language' | 'classifier';
  readonly backend: Backend;
  readonly precision: 'float32' | 'bfloat16';
  readonly modelDir: string;
  readonly scratchDir: string;
  /** When it kills itself: so many iterations after its start, and milliseconds after that. */
  readonly kill?: { readonly iterations: number; readonly afterMs: number };
}

const order = JSON.parse(process.argv[2] ?? '{}') as ChildOrder; // Written by resume.test.ts.
let left = order.kill?.iterations ?? Number.POSITIVE_INFINITY;

function count(): void {
  if (left-- !== 0) return;
  const die = (): void => void process.kill(process.pid, 'SIGKILL');
  if (order.kill?.afterMs === 0) die();
  void sleep(order.kill?.afterMs).then(die);
}

const lengths = Array.from({ length: 40 }, (_, index) => 4 + ((index * index) % 21));
const common = {
  hparams: {
    ...defaultHparams('full'),
    batch_size: 4,
    epochs: 3,
    gradient_accumulation_steps: 2,
    learning_rate: 0.01,
    early_stopping_patience: 0,
    evals_per_epoch: 1,
    precision: order.precision,
  },
  seed: 5,
  backend: order.backend,
  scratchDir: order.scratchDir,
  saveSteps: 2,
  onStart: count,
  onIteration: count,
};
const blocks = ['embeddings', 'layer.0', 'layer.1', 'norm'];
const texts = makeExamples(lengths);
if (order.task === 'language') {
  const model = await openModel(order.modelDir);
  if (model.architecture !== 'llama') throw new Error('This is not a decoder.');
  await trainLanguageModel({
    ...common,
    model,
    train: texts,
    validation: texts.slice(0, 6),
    strategy: { blocks },
  });
} else {
  const examples = texts.map(({ ids }, index) => ({ ids, label: index % 2 }));
  await trainClassifier({
    ...common,
    model: await openEncoder(order.modelDir),
    labels: ['even', 'odd'],
    padId: 0,
    train: examples,
    validation: examples.slice(0, 6),
    strategy: { blocks, pooling: 'mean' },
  });
}
process.stdout.write(join(order.scratchDir, 'checkpoint'));
