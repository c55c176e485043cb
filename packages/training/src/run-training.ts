import { createHash } from 'node:crypto';
import type { ChosenPrecision, MemoryPrediction, Slot } from '@joyul/compute';
import type { AdapterPlan, NamedTensor } from '@joyul/models';
import { mergeTrained } from './adapters.ts';
import type { Checkpoint, EvaluationPoint, TrainingState } from './checkpoint.ts';
import { loadCheckpoint } from './checkpoint.ts';
import type { LoopOptions, LoopStart, TrainResult } from './train-options.ts';
import { proveTrainability } from './trainability.ts';
import { Trainer, makeWindows } from './trainer.ts';
import type { TrainingTask } from './training-task.ts';
import { slotsOf } from './update-rule.ts';
import { digestWeights } from './weight-digests.ts';
import type { Tool } from './workshop.ts';

type Weights = ReadonlyMap<string, NamedTensor>;

/** A training that is about to begin, whatever its task. */
export interface RunPlan<Batch, E extends EvaluationPoint> {
  readonly options: LoopOptions<E>;
  readonly task: TrainingTask<Batch, E>;
  readonly tool: Tool;
  readonly isTrained: (name: string) => boolean;
  /** The weights to start from, an adapter's among them. */
  readonly before: Weights;
  /** Absent where no adapter is trained. */
  readonly adapters: AdapterPlan | undefined;
  /** All that decides the result besides weights, precision, hparams, seed and backend: checkpoints of another run are not used. */
  readonly identity: readonly unknown[];
  readonly precision: ChosenPrecision;
  readonly memory: MemoryPrediction;
  readonly onStart: (start: LoopStart<E>) => void;
}

function identityOf<Batch, E extends EvaluationPoint>(plan: RunPlan<Batch, E>): string {
  const { hparams, seed, backend = 'default' } = plan.options;
  const digests = [...plan.before].map(([name, { data }]) => [name, digestWeights(data)]);
  const record = JSON.stringify([plan.identity, hparams, seed, backend, plan.precision.name, digests]);
  return createHash('sha256').update(record).digest('hex');
}

const startState = <E extends EvaluationPoint>(identity: string): TrainingState<E> => ({
  version: 1,
  identity,
  iteration: 0,
  trainLosses: [],
  evaluations: [],
  best: undefined,
  badEvaluations: 0,
});

/** What to go on from: a checkpoint of this run, or what a run with fewer epochs left, whichever has come further. */
async function openCheckpoint<E extends EvaluationPoint>(
  { scratchDir, takePrefix }: LoopOptions<E>,
  identity: string,
  perEpoch: number,
): Promise<{ readonly checkpoint?: Checkpoint<E>; readonly keep?: string }> {
  const own = scratchDir === undefined ? undefined : await loadCheckpoint<E>(scratchDir, identity);
  const { from, keep } = (await takePrefix?.((own?.state.iteration ?? 0) / perEpoch)) ?? {};
  const earlier = from === undefined ? undefined : await loadCheckpoint<E>(from);
  // From here on its checkpoints are this run's.
  const checkpoint = earlier === undefined ? own : { ...earlier, state: { ...earlier.state, identity } };
  return { ...(checkpoint === undefined ? {} : { checkpoint }), ...(keep === undefined ? {} : { keep }) };
}

/** Writes weights, goes on from a checkpoint where there is one, trains to the end and proves what moved. */
export async function runTraining<Batch, E extends EvaluationPoint>(
  plan: RunPlan<Batch, E>,
): Promise<TrainResult<E>> {
  const { options, task, tool, before, precision, memory } = plan;
  const { session, weights } = tool;
  const { hparams, seed } = options;
  const trained = weights.filter((weight) => plan.isTrained(weight.name));
  const { kept: slots, sums } = slotsOf(hparams, trained);
  const identity = identityOf(plan);
  const perEpoch = makeWindows(task, hparams, seed).length;
  const { checkpoint, keep } = await openCheckpoint<E>(options, identity, perEpoch);
  await session.write(valuesOf(weights.flatMap(({ name }) => before.get(name) ?? [])));
  await session.write(zeros([...slots, ...sums]));
  // Last, so that what a checkpoint holds wins.
  await session.write(valuesOf(checkpoint?.tensors ?? []));
  const state = checkpoint?.state ?? startState<E>(identity);
  const trainer = new Trainer({
    options,
    task,
    session,
    trained: trained.map(({ name }) => name),
    slots: slots.map((slot) => slot.name),
    state,
    best: checkpoint?.best ?? [],
  });
  const totalIterations = perEpoch * hparams.epochs;
  plan.onStart({ precision, resumedFrom: state.iteration, before: state, totalIterations, memory });
  const stopReason = await trainer.run();
  if (keep !== undefined) await trainer.checkpoint(keep);
  return finish(plan, trainer, stopReason);
}

const valuesOf = (tensors: readonly NamedTensor[]): readonly (readonly [string, Float32Array])[] =>
  tensors.map(({ name, data }) => [name, data] as const);

const zeros = (slots: readonly Slot[]): readonly (readonly [string, 0])[] =>
  slots.map(({ name }) => [name, 0]);

function finish<Batch, E extends EvaluationPoint>(
  { before, isTrained, adapters }: RunPlan<Batch, E>,
  { state, best }: Trainer<Batch, E>,
  stopReason: string,
): TrainResult<E> {
  if (state.best === undefined) throw new Error('Internal error: training ended without an evaluation.');
  const after = new Map(before);
  for (const { name, data } of best) {
    const shape = before.get(name)?.shape;
    if (shape !== undefined) after.set(name, { name, shape, data });
  }
  const merged = adapters === undefined ? undefined : mergeTrained(adapters, after);
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
