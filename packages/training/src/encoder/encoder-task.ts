import type { Feeds, Session } from '@joyul/compute';
import { deriveSeed } from '@joyul/models';
import { measureAlignment, measureUniformity } from '@joyul/metrics';
import type { Batch, BatchInputs, Example } from '../batches.ts';
import { makeBatches, makeEpoch, padBatch } from '../batches.ts';
import type { TrainingTask } from '../training-task.ts';
import type { EncoderEvaluation, EncoderTrainOptions } from './encoder-options.ts';
import { encoderEntries } from './encoder-program.ts';
import { maskWords } from './mask-words.ts';
import type { Words } from './mask-words.ts';

/** A batch, and the seed of what is drawn for it: dropped places and masked words. */
export interface EncoderBatch extends Batch {
  readonly seed: number;
}

/** What an encoder's task is made of. */
export interface EncoderParts {
  readonly options: EncoderTrainOptions;
  readonly session: Session;
  /** Padded lengths. */
  readonly buckets: readonly number[];
  /** Absent for the contrastive objective. */
  readonly words: Words | undefined;
}

/** Texts kept aside that uniformity is measured on: its work grows with the square of them. */
const spreadTexts = 512;

/** Batches with seeds of their own; the same for the same seed. */
const addSeeds = (batches: readonly Batch[], seed: number): readonly EncoderBatch[] =>
  batches.map((batch, index) => ({ ...batch, seed: deriveSeed(seed, String(index)) >>> 1 }));

/** A text is told from the others of its batch, so there must be others. */
export const isComparable = ({ indices }: Batch): boolean => indices.length > 1;

/** Rows are their own labels. */
const labelRows = ({ indices }: Batch, size: number): Int32Array =>
  Int32Array.from({ length: size }, (_, row) => (row < indices.length ? row : -100));

/** Shared by both objectives: batches, and what they feed. */
class EncoderData {
  readonly #parts: EncoderParts;

  constructor(parts: EncoderParts) {
    this.#parts = parts;
  }

  pad(batch: Batch, examples: readonly Example[]): BatchInputs {
    const { hparams, tokenizer } = this.#parts.options;
    return padBatch(batch, examples, hparams.batch_size, tokenizer.padId);
  }

  /** What training on a batch is fed; `seed` decides what is dropped. */
  feed(batch: EncoderBatch, examples: readonly Example[]): Feeds & { readonly seed: Int32Array } {
    const { options, words } = this.#parts;
    const { batch_size: size } = options.hparams;
    const { ids, mask } = this.pad(batch, examples);
    const seed = Int32Array.of(batch.seed);
    if (words === undefined) return { ids, mask, labels: labelRows(batch, size), seed };
    return { mask, seed, ...maskWords({ ids, mask }, { batch: size, time: batch.time }, words, batch.seed) };
  }
}

/** Numbers of an output. */
function numbersOf(data: unknown): Float32Array {
  if (data instanceof Float32Array) return data;
  throw new Error('Internal error: an output is missing.');
}

/** All numbers, one after the other. */
function join(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Measures what is measured, without the place in training. */
type Measure = () => Promise<Omit<EncoderEvaluation, 'iteration' | 'epoch'>>;

/** Loss, alignment of the two passes and uniformity, always with the same places dropped. */
function measureContrastive({ options, session, buckets }: EncoderParts, data: EncoderData): Measure {
  const { validation, hparams, seed, model } = options;
  const { batch_size: size } = hparams;
  const width = model.config.hiddenSize;
  // All of one length, so that each text has as many others beside it as there can be.
  const all = makeBatches(validation, buckets.slice(-1), size).filter(isComparable);
  const batches = addSeeds(all, deriveSeed(seed, 'validation'));
  const part = (units: Float32Array, row: number, rows: number): Float32Array =>
    units.slice(row * width, (row + rows) * width);
  return async () => {
    let [total, count] = [0, 0];
    const passes: { readonly first: Float32Array; readonly second: Float32Array }[] = [];
    const spread: Float32Array[] = [];
    for (const batch of batches) {
      const rows = batch.indices.length;
      const feeds = data.feed(batch, validation);
      const outputs = await session.run(encoderEntries.evaluate(batch.time), feeds);
      total += outputs['total']?.[0] ?? Number.NaN;
      count += rows;
      const units = numbersOf(outputs['units']);
      passes.push({ first: part(units, 0, rows), second: part(units, size, rows) });
      if (count - rows >= spreadTexts) continue;
      const { ids, mask } = data.pad(batch, validation);
      const { units: whole } = await session.run(encoderEntries.embed(batch.time), { ids, mask });
      spread.push(part(numbersOf(whole), 0, rows));
    }
    const first = join(passes.map((pass) => pass.first));
    const second = join(passes.map((pass) => pass.second));
    return {
      loss: total / count,
      measures: {
        alignment: measureAlignment(first, second, width),
        uniformity: measureUniformity(join(spread), width),
      },
    };
  };
}

/** Loss and the share of masked words that are guessed, always of the same words. */
function measureMasked({ options, session, buckets }: EncoderParts, data: EncoderData): Measure {
  const { validation, hparams, seed } = options;
  const all = makeBatches(validation, buckets, hparams.batch_size);
  const batches = addSeeds(all, deriveSeed(seed, 'validation'));
  return async () => {
    let [total, count, correct] = [0, 0, 0];
    for (const batch of batches) {
      const { seed: _, ...feeds } = data.feed(batch, validation);
      const outputs = await session.run(encoderEntries.evaluate(batch.time), feeds);
      total += outputs['total']?.[0] ?? Number.NaN;
      count += outputs['weight']?.[0] ?? Number.NaN;
      correct += outputs['correct']?.[0] ?? Number.NaN;
    }
    return { loss: total / count, measures: { 'guessed words': correct / count } };
  };
}

/** Training an encoder on texts without labels, and measuring it. */
export function makeEncoderTask(parts: EncoderParts): TrainingTask<EncoderBatch, EncoderEvaluation> {
  const { options, buckets, words } = parts;
  const { train, hparams } = options;
  const data = new EncoderData(parts);
  const measure = (words === undefined ? measureContrastive : measureMasked)(parts, data);
  return {
    makeEpoch(seed) {
      const batches = makeEpoch(train, buckets, hparams.batch_size, seed);
      return addSeeds(words === undefined ? batches.filter(isComparable) : batches, seed);
    },
    suffixOf: ({ time }) => String(time),
    inputsOf: (batch) => Promise.resolve(data.feed(batch, train)),
    ratesAt: (factor) => ({ learningRate: hparams.learning_rate * factor }),
    evaluate: async (at) => ({ ...at, ...(await measure()) }),
    isBetter: (left, right) => left.loss < right.loss,
  };
}
