import type { Session, TensorData } from '@joyul/compute';
import type { Batch, Example } from './batches.ts';
import { makeBatches, makeEpoch, padBatch } from './batches.ts';
import type { Evaluation } from './checkpoint.ts';
import { entryNames } from './classifier-program.ts';
import type { TrainOptions } from './train-options.ts';
import type { TrainingTask } from './training-task.ts';
import type { StateReader } from './trunk/trunk-states.ts';

/** What a classifier's task is made of. */
export interface ClassifierParts {
  readonly options: TrainOptions;
  readonly session: Session;
  /** Padded lengths. */
  readonly buckets: readonly number[];
  /** States of frozen layers, which take the place of ids. */
  readonly states: { readonly train: StateReader; readonly validation: StateReader } | undefined;
}

type Inputs = Readonly<Record<string, TensorData>> & { readonly labels: Int32Array };

/** Training and measuring a classifier. */
export function makeClassifierTask({
  options,
  session,
  buckets,
  states,
}: ClassifierParts): TrainingTask<Batch, Evaluation> {
  const { hparams, padId, train, validation } = options;
  const size = hparams.batch_size;

  const inputsOf = async (
    batch: Batch,
    examples: readonly Example[],
    reader: StateReader | undefined,
  ): Promise<Inputs> => {
    const { ids, mask, labels } = padBatch(batch, examples, size, padId);
    return reader === undefined
      ? { ids, mask, labels }
      : { states: await reader.read(batch, size), mask, labels };
  };

  return {
    makeEpoch: (seed) => makeEpoch(train, buckets, size, seed),
    expect: (batches) => states?.train.expect(batches),
    suffixOf: ({ time }) => String(time),
    inputsOf: (batch) => inputsOf(batch, train, states?.train),
    ratesAt: (factor) => ({
      learningRate: hparams.learning_rate * factor,
      headLearningRate: hparams.head_learning_rate * factor,
    }),
    async evaluate(at) {
      let loss = 0;
      let correct = 0;
      const batches = makeBatches(validation, buckets, size);
      states?.validation.expect(batches);
      for (const batch of batches) {
        const { labels, ...inputs } = await inputsOf(batch, validation, states?.validation);
        const { logits, predicted } = await session.run(entryNames.predict(batch.time), inputs);
        if (!(logits instanceof Float32Array)) throw new Error('Internal error: no logits.');
        const classes = logits.length / size;
        batch.indices.forEach((_, row) => {
          const label = labels[row] ?? 0;
          loss += crossEntropy(logits.subarray(row * classes, (row + 1) * classes), label);
          if (predicted?.[row] === label) correct++;
        });
      }
      const count = Math.max(1, validation.length);
      return { ...at, loss: loss / count, accuracy: correct / count };
    },
    isBetter,
  };
}

/** More right answers count first: a loss also rises when right answers stay and wrong ones get surer. */
const isBetter = (left: Evaluation, right: Evaluation): boolean =>
  left.accuracy === right.accuracy ? left.loss < right.loss : left.accuracy > right.accuracy;

function crossEntropy(logits: Float32Array, label: number): number {
  const largest = Math.max(...logits);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  return largest + Math.log(sum) - (logits[label] ?? 0);
}
