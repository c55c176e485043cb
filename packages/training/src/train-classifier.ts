import { createHash } from 'node:crypto';
import { momentNames } from '@joyul/compute';
import { blockOf } from '@joyul/models';
import type { NamedTensor } from '@joyul/models';
import type { Example } from './batches.ts';
import { chooseBuckets, makeEpoch } from './batches.ts';
import type { Checkpoint, TrainingState } from './checkpoint.ts';
import { loadCheckpoint } from './checkpoint.ts';
import type { TrainOptions, TrainResult } from './train-options.ts';
import { TrainingError } from './train-options.ts';
import { proveTrainability } from './trainability.ts';
import { Trainer } from './trainer.ts';
import { trunkOf } from './trunk/trunk-model.ts';
import type { TrunkStates } from './trunk/trunk-states.ts';
import { openStates } from './trunk/trunk-states.ts';
import { digestWeights } from './weight-digests.ts';
import type { Tool } from './workshop.ts';
import { Workshop } from './workshop.ts';

/** The first layer that training changes, when everything below it can be computed once. */
export function findCut(blocks: readonly string[], layers: number): number | undefined {
  if (blocks.includes('embeddings')) return undefined;
  const trained = blocks.flatMap((block) => /^layer\.(\d+)$/.exec(block)?.[1] ?? []).map(Number);
  const cut = Math.min(layers, ...trained);
  return cut === 0 ? undefined : cut;
}

/** Weighs each class by rows / (classes · rows of the class), as scikit-learn's `balanced` does. */
export function balanceClasses(examples: readonly Example[], classes: number): Float32Array {
  const counts = new Float32Array(classes);
  for (const { label } of examples) if (label >= 0) counts[label] = (counts[label] ?? 0) + 1;
  return counts.map((count) => (count === 0 ? 0 : examples.length / (classes * count)));
}

function digestExamples(examples: readonly Example[]): string {
  const hash = createHash('sha256');
  for (const { ids, label } of examples)
    hash.update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength)).update(String(label));
  return hash.digest('hex');
}

function identityOf(options: TrainOptions, weights: ReadonlyMap<string, NamedTensor>): string {
  const { strategy, hparams, seed, labels, backend = 'default', matmul = 'float32', stateType } = options;
  const how = [strategy, hparams, seed, labels, backend, matmul, stateType ?? 'float16'];
  const digests = [...weights].map(([name, { data }]) => [name, digestWeights(data)]);
  const record = JSON.stringify([how, digests, digestExamples(options.train)]);
  return createHash('sha256').update(record).digest('hex');
}

/** What is computed and built once, before the first iteration. */
interface Prepared {
  readonly tool: Tool;
  readonly isTrained: (name: string) => boolean;
  readonly buckets: readonly number[];
  readonly states: TrunkStates | undefined;
  readonly cut: number | undefined;
}

/** The states of the frozen layers, when there are such layers and the disk has room for their states. */
async function prepareStates(
  options: TrainOptions,
  before: ReadonlyMap<string, NamedTensor>,
  workshop: Workshop,
): Promise<{ readonly states: TrunkStates; readonly cut: number } | undefined> {
  const { model, strategy, train, validation } = options;
  const cut = findCut(strategy.blocks, model.config.layers);
  if (cut === undefined) return undefined;
  const key = JSON.stringify([model.dir, cut, digestExamples([...train, ...validation])]);
  const texts = [...train, ...validation];
  const { matmul, ...settings } = options;
  const states = await workshop.openStates(key, () =>
    openStates(trunkOf(model), before, texts, {
      ...settings,
      cut,
      ...(matmul === 'bfloat16' ? { matmul } : {}),
    }),
  );
  if (states !== undefined) return { states, cut };
  options.onWarning?.(
    'The disk has no room for the states of the frozen layers; they are computed every time.',
  );
  return undefined;
}

async function prepareTraining(
  options: TrainOptions,
  before: ReadonlyMap<string, NamedTensor>,
  workshop: Workshop,
): Promise<Prepared> {
  const { model, strategy, hparams, labels, train, validation, backend, matmul } = options;
  const blocks = [...new Set([...strategy.blocks, 'classifier'])].sort();
  const isTrained = (name: string): boolean => blocks.includes(blockOf(name) ?? '');
  const trunk = await prepareStates(options, before, workshop);
  const buckets = chooseBuckets([...train, ...validation].map((example) => example.ids.length));
  const tool = await workshop.openTool(
    {
      config: model.config,
      classes: labels.length,
      pooling: strategy.pooling,
      batchSize: hparams.batch_size,
      times: buckets,
      ...(trunk === undefined ? {} : { cut: trunk.cut, stateType: trunk.states.stateType }),
    },
    {
      blocks,
      isTrained,
      weightDecay: hparams.weight_decay,
      maxGradNorm: hparams.max_grad_norm,
      labelSmoothing: hparams.label_smoothing,
      ...(hparams.class_weights === 'balanced' ? { classWeights: balanceClasses(train, labels.length) } : {}),
    },
    {
      ...(backend === undefined ? {} : { backend }),
      ...(matmul === undefined ? {} : { matmul }),
    },
  );
  return { tool, isTrained, buckets, states: trunk?.states, cut: trunk?.cut };
}

const startState = (identity: string): TrainingState => ({
  version: 1,
  identity,
  iteration: 0,
  trainLosses: [],
  evaluations: [],
  best: undefined,
  badEvaluations: 0,
});

/** What to go on from: a checkpoint of this run, or what a run with fewer epochs left, whichever has come further. */
async function openCheckpoint(
  { scratchDir, takePrefix }: TrainOptions,
  identity: string,
  perEpoch: number,
): Promise<{ readonly checkpoint?: Checkpoint; readonly keep?: string }> {
  const own = scratchDir === undefined ? undefined : await loadCheckpoint(scratchDir, identity);
  const { from, keep } = (await takePrefix?.((own?.state.iteration ?? 0) / perEpoch)) ?? {};
  const earlier = from === undefined ? undefined : await loadCheckpoint(from);
  // From here on its checkpoints are this run's.
  const checkpoint = earlier === undefined ? own : { ...earlier, state: { ...earlier.state, identity } };
  return { ...(checkpoint === undefined ? {} : { checkpoint }), ...(keep === undefined ? {} : { keep }) };
}

/**
 * Trains a classifier: the head and the strategy's blocks, from the model's weights.
 *
 * Layers below the lowest trained one are computed once and their states reused in every epoch.
 * Checkpoints go to `scratchDir` at each evaluation; a run that finds its own goes on exactly, and so does one that
 * `takePrefix` gives the end of a run with fewer epochs.
 *
 * @throws TrainingError when the loss is not finite or nothing can be learned.
 */
export async function trainClassifier(options: TrainOptions): Promise<TrainResult> {
  const { train, validation } = options;
  if (train.length === 0 || validation.length === 0) {
    throw new TrainingError(
      'NO_ROWS',
      `There are ${train.length} rows to train on and ${validation.length} to validate on.`,
      'Give prepare more rows, or another split.',
    );
  }
  const workshop = options.workshop ?? new Workshop();
  try {
    return await trainIn(workshop, options);
  } finally {
    if (options.workshop === undefined) await workshop.dispose();
  }
}

async function trainIn(workshop: Workshop, options: TrainOptions): Promise<TrainResult> {
  const { model, hparams, train } = options;
  const before = await workshop.readWeights(model);
  const prepared = await prepareTraining(options, before, workshop);
  const { tool, isTrained, buckets, states, cut } = prepared;
  const { session, weightNames } = tool;
  const trained = weightNames.filter(isTrained);
  const identity = identityOf(options, before);
  const perEpoch = makeEpoch(train, buckets, hparams.batch_size, options.seed).length;
  const { checkpoint, keep } = await openCheckpoint(options, identity, perEpoch);
  const dataOf = (name: string): Float32Array => before.get(name)?.data ?? new Float32Array();
  const values = [
    ...weightNames.map((name) => [name, dataOf(name)] as const),
    ...trained.flatMap((name) =>
      momentNames(name).map((slot) => [slot, new Float32Array(dataOf(name).length)] as const),
    ),
    // Last, so that what a checkpoint holds wins.
    ...(checkpoint?.tensors ?? []).map((tensor) => [tensor.name, tensor.data] as const),
  ];
  await session.write(Object.fromEntries(values));
  const state = checkpoint?.state ?? startState(identity);
  const readers = states && { train: states.reader(), validation: states.reader(train.length) };
  const trainer = new Trainer({ options, session, trained, buckets, states: readers, state });
  if (checkpoint !== undefined) trainer.restoreBest(checkpoint.best);
  options.onStart?.({
    cut,
    trunk: states?.report,
    resumedFrom: state.iteration,
    before: state,
    totalIterations: perEpoch * hparams.epochs,
  });
  const stopReason = await trainer.run();
  if (keep !== undefined) await trainer.checkpoint(keep);
  return finish(trainer, before, isTrained, stopReason);
}

function finish(
  trainer: Trainer,
  before: ReadonlyMap<string, NamedTensor>,
  isTrained: (name: string) => boolean,
  stopReason: string,
): TrainResult {
  const { state, best } = trainer;
  if (state.best === undefined) throw new Error('Internal error: training ended without an evaluation.');
  const after = new Map(before);
  for (const { name, data } of best) {
    const shape = before.get(name)?.shape;
    if (shape !== undefined) after.set(name, { name, shape, data });
  }
  return {
    weights: after,
    trainability: proveTrainability(before, after, isTrained, state.best.iteration === 0),
    evaluations: state.evaluations,
    trainLosses: state.trainLosses,
    best: state.best,
    iterations: state.iteration,
    stopReason,
  };
}
