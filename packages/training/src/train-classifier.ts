import { createHash } from 'node:crypto';
import type { Backend } from '@joyul/plugin-api';
import { createSession, momentNames } from '@joyul/compute';
import type { Session } from '@joyul/compute';
import { blockOf } from '@joyul/models';
import type { ModelFolder, NamedTensor } from '@joyul/models';
import type { Batch, Example } from './batches.ts';
import { chooseBuckets, makeBatches, makeEpoch, padBatch } from './batches.ts';
import type { Evaluation, TrainingState } from './checkpoint.ts';
import { loadCheckpoint, saveCheckpoint } from './checkpoint.ts';
import { entryNames, makeClassifierProgram } from './classifier-program.ts';
import type { CachedStates } from './encoder.ts';
import { encodeStates, padStates } from './encoder.ts';
import type { Hparams, Strategy } from './formats.ts';
import { scheduleFactor } from './schedule.ts';
import type { Trainability } from './trainability.ts';
import { proveTrainability } from './trainability.ts';

/** What training needs. */
export interface TrainOptions {
  /** Weights to start from, with a head. */
  readonly model: ModelFolder;
  readonly labels: readonly string[];
  readonly train: readonly Example[];
  readonly validation: readonly Example[];
  readonly padId: number;
  readonly strategy: Pick<Strategy, 'blocks' | 'pooling'>;
  readonly hparams: Hparams;
  readonly seed: number;
  readonly backend?: Backend;
  /** Where checkpoints are kept; absent means none. */
  readonly scratchDir?: string;
  readonly signal?: AbortSignal;
  readonly onIteration?: (point: {
    readonly iteration: number;
    readonly total: number;
    readonly loss: number;
    readonly gradientNorm: number;
  }) => void;
  readonly onEvaluation?: (evaluation: Evaluation) => void;
  readonly onStart?: (start: TrainingStart) => void;
}

/** Told once, before the first iteration. */
export interface TrainingStart {
  /** The first layer that is computed each iteration; absent when nothing is frozen below. */
  readonly cut: number | undefined;
  /** Milliseconds that the frozen layers took, once. */
  readonly trunkMs: number;
  /** Iterations that a checkpoint had done. */
  readonly resumedFrom: number;
  readonly totalIterations: number;
}

/** What training gives. */
export interface TrainResult {
  /** Every weight after training, the best ones by validation loss. */
  readonly weights: ReadonlyMap<string, NamedTensor>;
  readonly trainability: Trainability;
  readonly evaluations: readonly Evaluation[];
  readonly trainLosses: TrainingState['trainLosses'];
  readonly best: Evaluation;
  readonly iterations: number;
  readonly stopReason: string;
}

/** Training cannot go on: the loss is not finite, or nothing learns. */
export class TrainingError extends Error {
  readonly code: 'LOSS_NOT_FINITE' | 'NO_GRADIENT' | 'NO_ROWS';
  readonly help: string;

  constructor(code: TrainingError['code'], message: string, help: string) {
    super(message);
    this.name = 'TrainingError';
    this.code = code;
    this.help = help;
  }
}

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

function identityOf(options: TrainOptions, weights: ReadonlyMap<string, NamedTensor>): string {
  const hash = createHash('sha256').update(
    JSON.stringify([
      options.strategy,
      options.hparams,
      options.seed,
      options.labels,
      options.backend ?? 'default',
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

/** One run of training; made, run and thrown away by {@link trainClassifier}. */
class Trainer {
  readonly #options: TrainOptions;
  readonly #session: Session;
  readonly #trained: readonly string[];
  readonly #buckets: readonly number[];
  readonly #states: { readonly train: CachedStates; readonly validation: CachedStates } | undefined;
  #state: TrainingState;
  #best: readonly NamedTensor[] = [];

  constructor(parts: {
    readonly options: TrainOptions;
    readonly session: Session;
    readonly trained: readonly string[];
    readonly buckets: readonly number[];
    readonly states: { readonly train: CachedStates; readonly validation: CachedStates } | undefined;
    readonly state: TrainingState;
  }) {
    this.#options = parts.options;
    this.#session = parts.session;
    this.#trained = parts.trained;
    this.#buckets = parts.buckets;
    this.#states = parts.states;
    this.#state = parts.state;
  }

  get state(): TrainingState {
    return this.#state;
  }

  get best(): readonly NamedTensor[] {
    return this.#best;
  }

  /** Takes the best weights of a checkpoint over. */
  restoreBest(best: readonly NamedTensor[]): void {
    this.#best = best;
  }

  #inputs(
    batch: Batch,
    examples: readonly Example[],
    split: 'train' | 'validation',
  ): Record<string, Float32Array | Int32Array> {
    const { hparams, padId, model } = this.#options;
    const { ids, mask, labels } = padBatch(batch, examples, hparams.batch_size, padId);
    if (this.#states === undefined) return { ids, mask, labels };
    return {
      states: padStates(
        this.#states[split],
        batch.indices,
        hparams.batch_size,
        batch.time,
        model.config.hiddenSize,
      ),
      mask,
      labels,
    };
  }

  async #trainOn(batch: Batch, factor: number): Promise<void> {
    const { hparams, train } = this.#options;
    const iteration = this.#state.iteration;
    const outputs = await this.#session.run(entryNames.train(batch.time), {
      ...this.#inputs(batch, train, 'train'),
      learningRate: hparams.learning_rate * factor,
      headLearningRate: hparams.head_learning_rate * factor,
      beta1Power: 0.9 ** (iteration + 1),
      beta2Power: 0.999 ** (iteration + 1),
    });
    const loss = outputs['loss']?.[0] ?? Number.NaN;
    const gradientNorm = outputs['gradientNorm']?.[0] ?? Number.NaN;
    if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
      throw new TrainingError(
        'LOSS_NOT_FINITE',
        `At iteration ${iteration + 1} the loss is ${loss} and the gradient norm ${gradientNorm}.`,
        `Lower learning_rate (it is ${hparams.learning_rate}), or raise warmup_ratio.`,
      );
    }
    if (gradientNorm === 0) {
      throw new TrainingError(
        'NO_GRADIENT',
        `At iteration ${iteration + 1} every gradient is zero: nothing can be learned from this batch.`,
        'Check that rows have labels and that the strategy trains at least one block.',
      );
    }
    this.#state = {
      ...this.#state,
      iteration: iteration + 1,
      trainLosses: [...this.#state.trainLosses, { iteration, loss, gradientNorm }],
    };
  }

  /** Loss and accuracy on the validation split; the best weights so far are kept. */
  async evaluate(epoch: number): Promise<void> {
    const { validation, hparams } = this.#options;
    let loss = 0;
    let correct = 0;
    for (const batch of makeBatches(validation, this.#buckets, hparams.batch_size)) {
      const { labels, ...inputs } = this.#inputs(batch, validation, 'validation');
      const { logits, predicted } = await this.#session.run(entryNames.predict(batch.time), inputs);
      if (!(logits instanceof Float32Array) || labels === undefined)
        throw new Error('Internal error: no logits.');
      const classes = logits.length / hparams.batch_size;
      batch.indices.forEach((_, row) => {
        const label = labels[row] ?? 0;
        loss += crossEntropy(logits.subarray(row * classes, (row + 1) * classes), label);
        if (predicted?.[row] === label) correct++;
      });
    }
    const count = Math.max(1, validation.length);
    const evaluation: Evaluation = {
      iteration: this.#state.iteration,
      epoch,
      loss: loss / count,
      accuracy: correct / count,
    };
    const isBest = this.#state.best === undefined || evaluation.loss < this.#state.best.loss;
    if (isBest) this.#best = await this.#readTrained();
    this.#state = {
      ...this.#state,
      evaluations: [...this.#state.evaluations, evaluation],
      best: isBest ? evaluation : this.#state.best,
      badEvaluations: isBest ? 0 : this.#state.badEvaluations + 1,
    };
    this.#options.onEvaluation?.(evaluation);
  }

  async #readTrained(
    suffix: (name: string) => readonly string[] = (name) => [name],
  ): Promise<readonly NamedTensor[]> {
    const values = await this.#session.read(this.#trained.flatMap(suffix));
    return Object.entries(values).map(([name, data]) => ({ name, shape: [data.length], data }));
  }

  async checkpoint(): Promise<void> {
    const { scratchDir } = this.#options;
    if (scratchDir === undefined) return;
    const tensors = await this.#readTrained((name) => [name, ...momentNames(name)]);
    await saveCheckpoint(scratchDir, { state: this.#state, tensors, best: this.#best });
  }

  /** Trains to the end and tells why it stopped. */
  async run(): Promise<string> {
    const { hparams, train, seed, signal, onIteration } = this.#options;
    const perEpoch = makeEpoch(train, this.#buckets, hparams.batch_size, seed).length;
    const total = perEpoch * hparams.epochs;
    const warmup = Math.ceil(total * hparams.warmup_ratio);
    const every = Math.max(1, Math.ceil(perEpoch / Math.max(1, hparams.evals_per_epoch)));
    const isDue = (iteration: number): boolean =>
      iteration % perEpoch === 0 || (iteration % perEpoch) % every === 0;
    const hasStopped = (): boolean =>
      hparams.early_stopping_patience > 0 && this.#state.badEvaluations >= hparams.early_stopping_patience;
    // Before the first iteration, so that a fault in evaluating or saving shows at once and not after an epoch.
    if (this.#state.evaluations.length === 0) {
      await this.evaluate(0);
      await this.checkpoint();
    }
    for (let epoch = Math.floor(this.#state.iteration / perEpoch); epoch < hparams.epochs; epoch++) {
      const batches = makeEpoch(train, this.#buckets, hparams.batch_size, (seed + epoch * 0x9e3779b1) >>> 0);
      for (const batch of batches.slice(this.#state.iteration - epoch * perEpoch)) {
        if (hasStopped())
          return `it stopped early: ${hparams.early_stopping_patience} evaluations in a row were not better`;
        if (signal?.aborted === true) {
          await this.checkpoint();
          signal.throwIfAborted();
        }
        await this.#trainOn(
          batch,
          scheduleFactor(hparams.lr_scheduler, this.#state.iteration, total, warmup),
        );
        const last = this.#state.trainLosses.at(-1);
        if (last !== undefined)
          onIteration?.({
            iteration: this.#state.iteration,
            total,
            loss: last.loss,
            gradientNorm: last.gradientNorm,
          });
        if (!isDue(this.#state.iteration)) continue;
        await this.evaluate(this.#state.iteration / perEpoch);
        await this.checkpoint();
      }
    }
    return hasStopped()
      ? `it stopped early: ${hparams.early_stopping_patience} evaluations in a row were not better`
      : `all ${hparams.epochs} epochs were done`;
  }
}

function crossEntropy(logits: Float32Array, label: number): number {
  const largest = Math.max(...logits);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  return largest + Math.log(sum) - (logits[label] ?? 0);
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

/**
 * Trains a classifier: the head and the strategy's blocks, from the model's weights.
 *
 * Layers below the lowest trained one are computed once and their states reused in every epoch.
 * Checkpoints go to `scratchDir` at each evaluation; a run that finds its own goes on exactly.
 *
 * @throws TrainingError when the loss is not finite or nothing can be learned.
 */
export async function trainClassifier(options: TrainOptions): Promise<TrainResult> {
  const { model, strategy, hparams, labels, train, validation } = options;
  if (train.length === 0 || validation.length === 0) {
    throw new TrainingError(
      'NO_ROWS',
      `There are ${train.length} rows to train on and ${validation.length} to validate on.`,
      'Give prepare more rows, or another split.',
    );
  }
  const before = await model.readTensors();
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
      ...(hparams.class_weights === 'balanced' ? { classWeights: balanceClasses(train, labels.length) } : {}),
    },
  );
  const trained = [...weights.keys()].filter(isTrained);
  const identity = identityOf(options, before);
  const checkpoint =
    options.scratchDir === undefined ? undefined : await loadCheckpoint(options.scratchDir, identity);
  const session = await createSession(
    program,
    options.backend === undefined ? {} : { backend: options.backend },
  );
  try {
    const slots = trained.flatMap((name) =>
      momentNames(name).map((slot) => [slot, new Float32Array(before.get(name)?.data.length ?? 0)] as const),
    );
    const start = [...weights.keys()].map(
      (name) => [name, before.get(name)?.data ?? new Float32Array()] as const,
    );
    const restored = checkpoint?.tensors.map((tensor) => [tensor.name, tensor.data] as const) ?? [];
    await session.write(Object.fromEntries([...start, ...slots, ...restored]));
    const fresh: TrainingState = {
      version: 1,
      identity,
      iteration: 0,
      trainLosses: [],
      evaluations: [],
      best: undefined,
      badEvaluations: 0,
    };
    const trainer = new Trainer({
      options,
      session,
      trained,
      buckets,
      states,
      state: checkpoint?.state ?? fresh,
    });
    if (checkpoint !== undefined) trainer.restoreBest(checkpoint.best);
    const totalIterations =
      makeEpoch(train, buckets, hparams.batch_size, options.seed).length * hparams.epochs;
    options.onStart?.({ cut, trunkMs, resumedFrom: trainer.state.iteration, totalIterations });
    const stopReason = await trainer.run();
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
