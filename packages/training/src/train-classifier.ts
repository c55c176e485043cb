import { createHash } from 'node:crypto';
import { chooseBackend, choosePrecision, sizeOf } from '@joyul/compute';
import type { ChosenPrecision, Slot } from '@joyul/compute';
import type { AdapterPlan, NamedTensor } from '@joyul/models';
import { mergeTrained } from './adapters.ts';
import type { Example } from './batches.ts';
import type { Checkpoint, TrainingState } from './checkpoint.ts';
import { loadCheckpoint } from './checkpoint.ts';
import type { TrainOptions, TrainResult } from './train-options.ts';
import { TrainingError } from './train-options.ts';
import { proveTrainability } from './trainability.ts';
import { Trainer, makeWindows } from './trainer.ts';
import { checkMemory, cutOf, makeSettings } from './training-plan.ts';
import { trunkOf } from './trunk/trunk-model.ts';
import type { TrunkStates } from './trunk/trunk-states.ts';
import { openStates } from './trunk/trunk-states.ts';
import { slotsOf } from './update-rule.ts';
import { digestWeights } from './weight-digests.ts';
import { Workshop } from './workshop.ts';

function digestExamples(examples: readonly Example[]): string {
  const hash = createHash('sha256');
  for (const { ids, label } of examples)
    hash.update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength)).update(String(label));
  return hash.digest('hex');
}

function identityOf(
  options: TrainOptions,
  weights: ReadonlyMap<string, NamedTensor>,
  precision: ChosenPrecision,
): string {
  const { strategy, hparams, seed, labels, backend = 'default', stateType = 'float16' } = options;
  const how = [strategy, hparams, seed, labels, backend, precision.name, stateType];
  const digests = [...weights].map(([name, { data }]) => [name, digestWeights(data)]);
  const record = JSON.stringify([how, digests, digestExamples(options.train)]);
  return createHash('sha256').update(record).digest('hex');
}

/** The states of the frozen layers, when there are such layers and the disk has room for their states. */
async function prepareStates(
  options: TrainOptions,
  before: ReadonlyMap<string, NamedTensor>,
  workshop: Workshop,
): Promise<{ readonly states: TrunkStates; readonly cut: number } | undefined> {
  const { model, train, validation, hparams } = options;
  const cut = cutOf(options);
  if (cut === undefined) return undefined;
  const texts = [...train, ...validation];
  const key = JSON.stringify([model.path, cut, digestExamples(texts)]);
  const states = await workshop.openStates(key, () =>
    openStates(trunkOf(model), before, texts, {
      ...options,
      cut,
      // States that are kept for long are as exact as they can be, unless speed was asked for by name.
      ...(hparams.precision === 'bfloat16' ? { matmul: 'bfloat16' } : {}),
    }),
  );
  if (states !== undefined) return { states, cut };
  options.onWarning?.(
    'The disk has no room for the states of the frozen layers; they are computed every time.',
  );
  return undefined;
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
 * @throws TrainingError when memory would run out, the loss is not finite, or nothing can be learned.
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
  const { model, hparams, train, backend, adapter } = options;
  const precision = await choosePrecision(hparams.precision, chooseBackend(backend).name);
  const memory = checkMemory(options, precision);
  const before = new Map([...(await workshop.readWeights(model)), ...(adapter?.tensors ?? [])]);
  const trunk = await prepareStates(options, before, workshop);
  const stored = trunk && { cut: trunk.cut, stateType: trunk.states.stateType };
  const settings = makeSettings(options, stored);
  const { isTrained } = settings.update;
  const { session, weights } = await workshop.openTool(settings, {
    matmul: precision.name,
    ...(backend === undefined ? {} : { backend }),
  });
  const trained = weights.filter((weight) => isTrained(weight.name));
  const { kept: slots, sums } = slotsOf(hparams, trained);
  const identity = identityOf(options, before, precision);
  const buckets = settings.options.times;
  const perEpoch = makeWindows(options, buckets, 0).length;
  const { checkpoint, keep } = await openCheckpoint(options, identity, perEpoch);
  await session.write(valuesOf(weights.flatMap(({ name }) => before.get(name) ?? [])));
  await session.write(zeros([...slots, ...sums]));
  // Last, so that what a checkpoint holds wins.
  await session.write(valuesOf(checkpoint?.tensors ?? []));
  const state = checkpoint?.state ?? startState(identity);
  const trainer = new Trainer({
    options,
    session,
    trained: trained.map(({ name }) => name),
    slots: slots.map((slot) => slot.name),
    buckets,
    states: trunk && { train: trunk.states.reader(), validation: trunk.states.reader(train.length) },
    state,
  });
  if (checkpoint !== undefined) trainer.restoreBest(checkpoint.best);
  options.onStart?.({
    cut: trunk?.cut,
    trunk: trunk?.states.report,
    precision,
    resumedFrom: state.iteration,
    before: state,
    totalIterations: perEpoch * hparams.epochs,
    memory,
  });
  const stopReason = await trainer.run();
  if (keep !== undefined) await trainer.checkpoint(keep);
  return finish(trainer, before, { isTrained, plan: adapter?.plan }, stopReason);
}

const valuesOf = (tensors: readonly NamedTensor[]): readonly (readonly [string, Float32Array])[] =>
  tensors.map(({ name, data }) => [name, data] as const);

/** One after the other, so that they are never all in JavaScript. */
function* zeros(slots: readonly Slot[]): Iterable<readonly [string, Float32Array]> {
  for (const { name, shape } of slots) yield [name, new Float32Array(sizeOf(shape))];
}

function finish(
  trainer: Trainer,
  before: ReadonlyMap<string, NamedTensor>,
  {
    isTrained,
    plan,
  }: { readonly isTrained: (name: string) => boolean; readonly plan: AdapterPlan | undefined },
  stopReason: string,
): TrainResult {
  const { state, best } = trainer;
  if (state.best === undefined) throw new Error('Internal error: training ended without an evaluation.');
  const after = new Map(before);
  for (const { name, data } of best) {
    const shape = before.get(name)?.shape;
    if (shape !== undefined) after.set(name, { name, shape, data });
  }
  const merged = plan === undefined ? undefined : mergeTrained(plan, after);
  return {
    weights: merged?.weights ?? after,
    ...(merged === undefined ? {} : { adapter: merged.adapter }),
    trainability: proveTrainability(before, after, isTrained, {
      keptStart: state.best.iteration === 0,
      ...(merged === undefined ? {} : { effective: merged.changes }),
    }),
    evaluations: state.evaluations,
    trainLosses: state.trainLosses,
    best: state.best,
    iterations: state.iteration,
    stopReason,
  };
}
