import type { Optimizer, Session, TensorData } from '@joyul/compute';
import { StepFailure } from '@joyul/plugin-api';
import type { NamedTensor } from '@joyul/models';
import type { Batch, Example } from './batches.ts';
import { makeBatches, makeEpoch, padBatch } from './batches.ts';
import type { Evaluation, TrainingState } from './checkpoint.ts';
import { saveCheckpoint } from './checkpoint.ts';
import { entryNames } from './classifier-program.ts';
import type { CachedStates } from './encoder.ts';
import { padStates } from './encoder.ts';
import { scheduleFactor } from './schedule.ts';
import type { TrainOptions } from './train-options.ts';
import { TrainingError } from './train-options.ts';
import { optimizerOf } from './update-rule.ts';

/** One run of training; made, run and thrown away by {@link trainClassifier}. */
export class Trainer {
  readonly #options: TrainOptions;
  readonly #session: Session;
  readonly #trained: readonly string[];
  /** The optimizer's slots. */
  readonly #slots: readonly string[];
  readonly #optimizer: Optimizer;
  readonly #buckets: readonly number[];
  readonly #states: { readonly train: CachedStates; readonly validation: CachedStates } | undefined;
  #state: TrainingState;
  #best: readonly NamedTensor[] = [];

  constructor(parts: {
    readonly options: TrainOptions;
    readonly session: Session;
    readonly trained: readonly string[];
    readonly slots: readonly string[];
    readonly buckets: readonly number[];
    readonly states: { readonly train: CachedStates; readonly validation: CachedStates } | undefined;
    readonly state: TrainingState;
  }) {
    this.#options = parts.options;
    this.#session = parts.session;
    this.#trained = parts.trained;
    this.#slots = parts.slots;
    this.#optimizer = optimizerOf(parts.options.hparams);
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

  /** One update of the weights, from the batches that it is made of. */
  async #update(batches: readonly Batch[], factor: number): Promise<Record<string, TensorData>> {
    const { hparams, train } = this.#options;
    const rates = {
      learningRate: hparams.learning_rate * factor,
      headLearningRate: hparams.head_learning_rate * factor,
      ...this.#optimizer.scalarsAt(this.#state.iteration + 1),
    };
    const [first] = batches;
    if (hparams.gradient_accumulation_steps === 1 && first !== undefined)
      return this.#session.run(entryNames.train(first.time), {
        ...this.#inputs(first, train, 'train'),
        ...rates,
      });
    for (const batch of batches)
      await this.#session.run(entryNames.accumulate(batch.time), this.#inputs(batch, train, 'train'));
    return this.#session.run(entryNames.update, rates);
  }

  async #trainOn(batches: readonly Batch[], factor: number): Promise<void> {
    const { hparams } = this.#options;
    const iteration = this.#state.iteration;
    const outputs = await this.#update(batches, factor);
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
    const isBest = this.#state.best === undefined || isBetter(evaluation, this.#state.best);
    if (isBest) this.#best = await this.#readTrained();
    this.#state = {
      ...this.#state,
      evaluations: [...this.#state.evaluations, evaluation],
      best: isBest ? evaluation : this.#state.best,
      badEvaluations: isBest ? 0 : this.#state.badEvaluations + 1,
    };
    this.#options.onEvaluation?.(evaluation);
  }

  async #readTrained(others: readonly string[] = []): Promise<readonly NamedTensor[]> {
    const values = await this.#session.read([...this.#trained, ...others]);
    return Object.entries(values).map(([name, data]) => ({ name, shape: [data.length], data }));
  }

  /** Saves all that is needed to go on, in the scratch folder unless another is given. */
  async checkpoint(dir = this.#options.scratchDir): Promise<void> {
    if (dir === undefined) return;
    const tensors = await this.#readTrained(this.#slots);
    await saveCheckpoint(dir, { state: this.#state, tensors, best: this.#best });
  }

  /** Trains to the end and tells why it stopped. */
  async run(): Promise<string> {
    const { hparams, signal, onIteration } = this.#options;
    const perEpoch = makeWindows(this.#options, this.#buckets, 0).length;
    const total = perEpoch * hparams.epochs;
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
      const windows = makeWindows(this.#options, this.#buckets, epoch);
      for (const batches of windows.slice(this.#state.iteration - epoch * perEpoch)) {
        if (hasStopped())
          return `it stopped early: ${hparams.early_stopping_patience} evaluations in a row were not better`;
        if (signal?.aborted === true) {
          await this.checkpoint();
          throw new StepFailure('CHECKPOINTED', `Training stopped after iteration ${this.#state.iteration}.`);
        }
        await this.#trainOn(batches, scheduleFactor(hparams, this.#state.iteration, total));
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

/** The batches of an epoch, grouped into those of one update each; the last update may have fewer. */
export function makeWindows(
  { train, hparams, seed }: Pick<TrainOptions, 'train' | 'hparams' | 'seed'>,
  buckets: readonly number[],
  epoch: number,
): readonly (readonly Batch[])[] {
  const { batch_size, gradient_accumulation_steps: size } = hparams;
  const batches = makeEpoch(train, buckets, batch_size, (seed + epoch * 0x9e3779b1) >>> 0);
  return Array.from({ length: Math.ceil(batches.length / size) }, (_, index) =>
    batches.slice(index * size, (index + 1) * size),
  );
}

/** More right answers count first: a loss also rises when right answers stay and wrong ones get surer. */
const isBetter = (left: Evaluation, right: Evaluation): boolean =>
  left.accuracy === right.accuracy ? left.loss < right.loss : left.accuracy > right.accuracy;

function crossEntropy(logits: Float32Array, label: number): number {
  const largest = Math.max(...logits);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  return largest + Math.log(sum) - (logits[label] ?? 0);
}
