import { createHash } from 'node:crypto';
import { chooseBackend, choosePrecision, createSession, sizeOf } from '@joyul/compute';
import type { ChosenPrecision, Program, Slot, Variable } from '@joyul/compute';
import { blockOf } from '@joyul/models';
import type { NamedTensor } from '@joyul/models';
import type { Example } from './batches.ts';
import { chooseBuckets } from './batches.ts';
import type { Checkpoint, TrainingState } from './checkpoint.ts';
import { loadCheckpoint } from './checkpoint.ts';
import { makeClassifierProgram } from './classifier-program.ts';
import type { CachedStates } from './encoder.ts';
import { encodeStates } from './encoder.ts';
import type { TrainOptions, TrainResult } from './train-options.ts';
import { TrainingError } from './train-options.ts';
import { proveTrainability } from './trainability.ts';
import { Trainer, makeWindows } from './trainer.ts';
import { optimizerOf, rateShareOf, slotsOf } from './update-rule.ts';

/** Frozen states are kept in memory up to this size; beyond it the frozen layers are computed each time. */
const maxCacheBytes = 2e9;

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

function identityOf(
  options: TrainOptions,
  weights: ReadonlyMap<string, NamedTensor>,
  precision: ChosenPrecision,
): string {
  const hash = createHash('sha256').update(
    JSON.stringify([
      options.strategy,
      options.hparams,
      options.seed,
      options.labels,
      options.backend ?? 'default',
      precision.name,
    ]),
  );
  for (const { data } of weights.values())
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  for (const example of options.train)
    hash
      .update(new Uint8Array(example.ids.buffer, example.ids.byteOffset, example.ids.byteLength))
      .update(String(example.label));
  return hash.digest('hex');
}

/** The frozen layers' states, when they fit in memory; what they took. */
async function cacheTrunk(
  options: TrainOptions,
  weights: ReadonlyMap<string, NamedTensor>,
  cut: number,
): Promise<{ train: CachedStates; validation: CachedStates }> {
  const { model, padId, train, validation, backend, signal } = options;
  const settings = {
    padId,
    cut,
    ...(backend === undefined ? {} : { backend }),
    ...(signal === undefined ? {} : { signal }),
  };
  const all = await encodeStates(model, weights, [...train, ...validation], settings);
  return { train: all.slice(0, train.length), validation: all.slice(train.length) };
}

/** What is computed and built once, before the first iteration. */
interface Prepared {
  readonly program: Program;
  readonly weights: ReadonlyMap<string, Variable>;
  readonly isTrained: (name: string) => boolean;
  readonly buckets: readonly number[];
  readonly states: { readonly train: CachedStates; readonly validation: CachedStates } | undefined;
  readonly cut: number | undefined;
  readonly trunkMs: number;
}

async function prepareTraining(
  options: TrainOptions,
  before: ReadonlyMap<string, NamedTensor>,
): Promise<Prepared> {
  const { model, strategy, hparams, labels, train, validation } = options;
  const blocks = new Set([...strategy.blocks, 'classifier']);
  const isTrained = (name: string): boolean => blocks.has(blockOf(name) ?? '');
  const lengths = [...train, ...validation].map((example) => example.ids.length);
  const tokens = lengths.reduce((sum, length) => sum + length, 0);
  const wantedCut = findCut(strategy.blocks, model.config.layers);
  const cut = tokens * model.config.hiddenSize * 4 <= maxCacheBytes ? wantedCut : undefined;
  const startMs = performance.now();
  const states = cut === undefined ? undefined : await cacheTrunk(options, before, cut);
  const trunkMs = performance.now() - startMs;
  const buckets = chooseBuckets(lengths);
  const { program, weights } = makeClassifierProgram(
    {
      config: model.config,
      classes: labels.length,
      pooling: strategy.pooling,
      batchSize: hparams.batch_size,
      times: buckets,
      ...(cut === undefined ? {} : { cut }),
    },
    {
      isTrained,
      weightDecay: hparams.weight_decay,
      maxGradNorm: hparams.max_grad_norm,
      labelSmoothing: hparams.label_smoothing,
      optimizer: optimizerOf(hparams),
      rateShareOf: (name) => rateShareOf(name, model.config.layers, hparams.layer_lr_decay),
      decay: hparams.decay,
      accumulates: hparams.gradient_accumulation_steps > 1,
      ...(hparams.class_weights === 'balanced' ? { classWeights: balanceClasses(train, labels.length) } : {}),
    },
  );
  return { program, weights, isTrained, buckets, states, cut, trunkMs };
}

const zeros = ({ name, shape }: Slot): NamedTensor => ({
  name,
  shape,
  data: new Float32Array(sizeOf(shape)),
});

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
  const { model, hparams, train, validation, backend } = options;
  if (train.length === 0 || validation.length === 0) {
    throw new TrainingError(
      'NO_ROWS',
      `There are ${train.length} rows to train on and ${validation.length} to validate on.`,
      'Give prepare more rows, or another split.',
    );
  }
  const before = await model.readTensors();
  const { program, weights, isTrained, buckets, states, cut, trunkMs } = await prepareTraining(
    options,
    before,
  );
  const trained = [...weights.keys()].filter(isTrained);
  const { kept: slots, sums } = slotsOf(
    hparams,
    [...weights.values()].filter((weight) => isTrained(weight.name)),
  );
  const precision = await choosePrecision(hparams.precision, chooseBackend(backend).name);
  const identity = identityOf(options, before, precision);
  const perEpoch = makeWindows(options, buckets, 0).length;
  const { checkpoint, keep } = await openCheckpoint(options, identity, perEpoch);
  const session = await createSession(program, {
    matmul: precision.name,
    ...(backend === undefined ? {} : { backend }),
  });
  try {
    const own = [...weights.keys()].flatMap((name) => before.get(name) ?? []);
    // Last, so that what a checkpoint holds wins.
    const tensors = [...own, ...[...slots, ...sums].map(zeros), ...(checkpoint?.tensors ?? [])];
    await session.write(Object.fromEntries(tensors.map(({ name, data }) => [name, data])));
    const state = checkpoint?.state ?? startState(identity);
    const trainer = new Trainer({
      options,
      session,
      trained,
      slots: slots.map((slot) => slot.name),
      buckets,
      states,
      state,
    });
    if (checkpoint !== undefined) trainer.restoreBest(checkpoint.best);
    options.onStart?.({
      cut,
      trunkMs,
      precision,
      resumedFrom: state.iteration,
      before: state,
      totalIterations: perEpoch * hparams.epochs,
    });
    const stopReason = await trainer.run();
    if (keep !== undefined) await trainer.checkpoint(keep);
    return finish(trainer, before, isTrained, stopReason);
  } finally {
    session.dispose();
  }
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
