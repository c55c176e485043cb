import type { Optimizer, Session, TensorData } from '@joyul/compute';
import { StepFailure } from '@joyul/plugin-api';
import type { NamedTensor } from '@joyul/models';
import { cutInto } from './batches.ts';
import type { EvaluationPoint, TrainingState } from './checkpoint.ts';
import { saveCheckpoint } from './checkpoint.ts';
import { scheduleFactor } from './schedule.ts';
import type { LoopOptions } from './train-options.ts';
import { TrainingError } from './train-options.ts';
import { trainingEntries } from './training-entries.ts';
import type { TrainingTask } from './training-task.ts';
import { optimizerOf } from './update-rule.ts';

/** What a training is made of. */
export interface TrainerParts<Batch, E extends EvaluationPoint> {
  readonly options: LoopOptions<E>;
  readonly task: TrainingTask<Batch, E>;
  readonly session: Session;
  /** Names of the trained weights. */
  readonly trained: readonly string[];
  /** Names of the optimizer's slots. */
  readonly slots: readonly string[];
  readonly state: TrainingState<E>;
  /** The trained weights of the best evaluation so far. */
  readonly best: readonly NamedTensor[];
}

/** One run of training; made, run and thrown away by `runTraining`. */
export class Trainer<Batch, E extends EvaluationPoint> {
  readonly #parts: TrainerParts<Batch, E>;
  readonly #options: LoopOptions<E>;
  readonly #task: TrainingTask<Batch, E>;
  readonly #session: Session;
  readonly #optimizer: Optimizer;
  #state: TrainingState<E>;
  #best: readonly NamedTensor[];

  constructor(parts: TrainerParts<Batch, E>) {
    this.#parts = parts;
    this.#options = parts.options;
    this.#task = parts.task;
    this.#session = parts.session;
    this.#optimizer = optimizerOf(parts.options.hparams);
    this.#state = parts.state;
    this.#best = parts.best;
  }

  get state(): TrainingState<E> {
    return this.#state;
  }

  get best(): readonly NamedTensor[] {
    return this.#best;
  }

  /** One update of the weights, from the batches that it is made of. */
  async #update(batches: readonly Batch[], factor: number): Promise<Record<string, TensorData>> {
    const task = this.#task;
    const rates = { ...task.ratesAt(factor), ...this.#optimizer.scalarsAt(this.#state.iteration + 1) };
    const [first] = batches;
    if (this.#options.hparams.gradient_accumulation_steps === 1 && first !== undefined)
      return this.#session.run(trainingEntries.train(task.suffixOf(first)), {
        ...(await task.inputsOf(first)),
        ...rates,
      });
    for (const batch of batches)
      await this.#session.run(trainingEntries.accumulate(task.suffixOf(batch)), await task.inputsOf(batch));
    return this.#session.run(trainingEntries.update, rates);
  }

  async #trainOn(batches: readonly Batch[], total: number): Promise<void> {
    const { hparams, onIteration } = this.#options;
    const iteration = this.#state.iteration;
    const outputs = await this.#update(batches, scheduleFactor(hparams, iteration, total));
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
    onIteration?.({ iteration: iteration + 1, total, loss, gradientNorm });
  }

  /** Measures the model on the validation split; the best weights so far are kept. */
  async #evaluate(epoch: number): Promise<void> {
    const { iteration, best, badEvaluations, evaluations } = this.#state;
    const evaluation = await this.#task.evaluate({ iteration, epoch }, evaluations);
    const isBest = best === undefined || this.#task.isBetter(evaluation, best);
    if (isBest) this.#best = await this.#readTrained();
    this.#state = {
      ...this.#state,
      evaluations: [...evaluations, evaluation],
      best: isBest ? evaluation : best,
      badEvaluations: isBest ? 0 : badEvaluations + 1,
    };
    this.#options.onEvaluation?.(evaluation);
  }

  async #readTrained(others: readonly string[] = []): Promise<readonly NamedTensor[]> {
    const values = await this.#session.read([...this.#parts.trained, ...others]);
    return Object.entries(values).map(([name, data]) => ({ name, shape: [data.length], data }));
  }

  /** Saves all that is needed to go on, in the scratch folder unless another is given. */
  async checkpoint(dir = this.#options.scratchDir): Promise<void> {
    if (dir === undefined) return;
    const tensors = await this.#readTrained(this.#parts.slots);
    await saveCheckpoint(dir, { state: this.#state, tensors, best: this.#best });
  }

  /** Why training ends before its last epoch, in words. */
  #findStop(): string | undefined {
    const { early_stopping_patience: patience } = this.#options.hparams;
    return patience > 0 && this.#state.badEvaluations >= patience
      ? `it stopped early: ${patience} evaluations in a row were not better`
      : undefined;
  }

  /** What is due after an iteration: an evaluation, with a checkpoint, or a checkpoint alone. */
  async #look(perEpoch: number): Promise<void> {
    const { hparams, saveSteps } = this.#options;
    const { iteration } = this.#state;
    const every = Math.max(1, Math.ceil(perEpoch / Math.max(1, hparams.evals_per_epoch)));
    const isEvaluated = iteration % perEpoch === 0 || (iteration % perEpoch) % every === 0;
    if (isEvaluated) await this.#evaluate(iteration / perEpoch);
    if (isEvaluated || (saveSteps !== undefined && iteration % saveSteps === 0)) await this.checkpoint();
  }

  /** Trains to the end and tells why it stopped. */
  async run(): Promise<string> {
    const { hparams, signal, seed } = this.#options;
    const perEpoch = makeWindows(this.#task, hparams, seed).length;
    // Before the first iteration, so that a fault in evaluating or saving shows at once and not after an epoch.
    if (this.#state.evaluations.length === 0) {
      await this.#evaluate(0);
      await this.checkpoint();
    }
    for (let epoch = Math.floor(this.#state.iteration / perEpoch); epoch < hparams.epochs; epoch++) {
      const windows = makeWindows(this.#task, hparams, (seed + epoch * 0x9e3779b1) >>> 0);
      this.#task.expect?.(windows.flat());
      for (const batches of windows.slice(this.#state.iteration - epoch * perEpoch)) {
        const stop = this.#findStop();
        if (stop !== undefined) return stop;
        if (signal?.aborted === true) {
          await this.checkpoint();
          throw new StepFailure('CHECKPOINTED', `Training stopped after iteration ${this.#state.iteration}.`);
        }
        await this.#trainOn(batches, perEpoch * hparams.epochs);
        await this.#look(perEpoch);
      }
    }
    return this.#findStop() ?? `all ${hparams.epochs} epochs were done`;
  }
}

/** The batches of an epoch, grouped into those of one update each; the last update may have fewer. */
export function makeWindows<Batch, E extends EvaluationPoint>(
  task: TrainingTask<Batch, E>,
  hparams: LoopOptions<E>['hparams'],
  seed: number,
): readonly (readonly Batch[])[] {
  return cutInto(task.makeEpoch(seed), hparams.gradient_accumulation_steps);
}
