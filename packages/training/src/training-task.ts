import type { Feeds } from '@joyul/compute';
import type { EvaluationPoint } from './checkpoint.ts';

/** What the training loop has to know of a task: its batches, what they feed, and how good the model is. */
export interface TrainingTask<Batch, E extends EvaluationPoint> {
  /** The batches of an epoch in the order in which they are trained on; the same for the same seed. */
  makeEpoch(seed: number): readonly Batch[];
  /** Told at the start of each epoch which batches there are, so that their inputs can be read ahead. */
  expect?(batches: readonly Batch[]): void;
  /** What tells the entries for a batch of this shape from others. */
  suffixOf(batch: Batch): string;
  /** The inputs of a training entry. */
  inputsOf(batch: Batch): Promise<Feeds>;
  /** Learning rates by the names of their inputs, where all of them are at `factor` of their peak. */
  ratesAt(factor: number): Readonly<Record<string, number>>;
  /** Measures the model on the validation split; `before` are the evaluations until then. */
  evaluate(at: Pick<EvaluationPoint, 'iteration' | 'epoch'>, before: readonly E[]): Promise<E>;
  /** Whether the weights of `left` are to be kept rather than those of `right`. */
  isBetter(left: E, right: E): boolean;
}
