import type { Backend } from '@joyul/plugin-api';
import { createSession } from '@joyul/compute';
import type { Session } from '@joyul/compute';
import { openTokenizer } from '@joyul/data';
import type { Tokenizer } from '@joyul/data';
import type { BertFolder } from '@joyul/models';
import type { Example } from './batches.ts';
import { chooseBuckets, makeBatches, padBatch } from './batches.ts';
import { entryNames, makeClassifierProgram } from './classifier-program.ts';
import { openEncoder } from './open-encoder.ts';

/** What a classifier says of one text. */
export interface Prediction {
  readonly label: string;
  /** By label, in the order of `labels`. */
  readonly probabilities: readonly number[];
  readonly logits: Float32Array;
}

/** A trained classifier, ready to answer. */
export interface Predictor {
  readonly labels: readonly string[];
  readonly maxLength: number;
  readonly tokenizer: Tokenizer;
  readonly model: BertFolder;
  predict(texts: readonly string[]): Promise<readonly Prediction[]>;
  dispose(): void;
}

/** Settings of a predictor. */
export interface PredictorOptions {
  readonly backend?: Backend;
  /** Absent: what the model was trained with, else 128. */
  readonly maxLength?: number;
  readonly batchSize?: number;
  /** Padded lengths to be ready for; absent means a few that are chosen from the first texts. */
  readonly times?: readonly number[];
}

const defaultBatchSize = 16;

/** Softmax in double precision. */
export function softmaxOf(logits: Float32Array): readonly number[] {
  const largest = Math.max(...logits);
  const powers = [...logits].map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((total, power) => total + power, 0);
  return powers.map((power) => power / sum);
}

/** Opens a trained model folder; the same tokenizer and the same program that training used answer. */
export async function openPredictor(dir: string, options: PredictorOptions = {}): Promise<Predictor> {
  const model = await openEncoder(dir);
  if (model.labels.length === 0)
    throw new Error(`${dir} holds a base model without a head; it cannot classify.`);
  const tokenizer = await openTokenizer(dir);
  const settings = model.rawConfig['joyul'] as
    { readonly maxLength?: number; readonly pooling?: 'mean' | 'cls' } | undefined; // Written by the train step.
  const maxLength = options.maxLength ?? settings?.maxLength ?? 128;
  const batchSize = options.batchSize ?? defaultBatchSize;
  const weights = await model.readTensors();
  let session: { readonly inner: Session; readonly times: readonly number[] } | undefined;

  const prepare = async (
    lengths: readonly number[],
  ): Promise<{ readonly inner: Session; readonly times: readonly number[] }> => {
    const longest = Math.max(...lengths);
    if (session !== undefined && longest <= (session.times.at(-1) ?? 0)) return session;
    session?.inner.dispose();
    // The longest length is always there, so that later texts need no new graph.
    const times =
      options.times ??
      [...new Set([...chooseBuckets(lengths), Math.ceil(maxLength / 8) * 8])].sort((a, b) => a - b);
    const { program } = makeClassifierProgram({
      config: model.config,
      classes: model.labels.length,
      pooling: settings?.pooling ?? 'mean',
      batchSize,
      times,
    });
    const inner = await createSession(
      program,
      options.backend === undefined ? {} : { backend: options.backend },
    );
    await inner.write(Object.fromEntries([...weights].map(([name, tensor]) => [name, tensor.data])));
    session = { inner, times };
    return session;
  };

  return {
    labels: model.labels,
    maxLength,
    tokenizer,
    model,
    async predict(texts) {
      if (texts.length === 0) return [];
      const examples: Example[] = texts.map((text) => ({
        ids: tokenizer.encode(text, maxLength).ids,
        label: -100,
      }));
      const { inner, times } = await prepare(examples.map((example) => example.ids.length));
      const predictions: Prediction[] = [];
      for (const batch of makeBatches(examples, times, batchSize)) {
        const { ids, mask } = padBatch(batch, examples, batchSize, tokenizer.padId);
        const { logits } = await inner.run(entryNames.predict(batch.time), { ids, mask });
        if (!(logits instanceof Float32Array)) throw new Error('Internal error: no logits.');
        batch.indices.forEach((index, row) => {
          const own = logits.slice(row * model.labels.length, (row + 1) * model.labels.length);
          const probabilities = softmaxOf(own);
          const label = model.labels[probabilities.indexOf(Math.max(...probabilities))] ?? '';
          predictions[index] = { label, probabilities, logits: own };
        });
      }
      return predictions;
    },
    dispose() {
      session?.inner.dispose();
      session = undefined;
    },
  };
}
