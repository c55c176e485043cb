import type { Row, Tokenizer } from '@joyul/data';
import { makeRandom, shuffle } from '@joyul/data';

/** Token ids of one text. */
export interface Encoded {
  readonly ids: Int32Array;
}

/** A text as a classifier sees it. */
export interface Example extends Encoded {
  /** Index of the label, or −100 where there is none. */
  readonly label: number;
}

/** Indices of examples that go through the model together, padded to `time` tokens. */
export interface Batch {
  readonly indices: readonly number[];
  readonly time: number;
}

const maxBuckets = 4;
const roundTo = 8;

/** Tokenizes rows; labels become indices into `labels`. */
export function encodeRows(
  rows: readonly Row[],
  tokenizer: Tokenizer,
  labels: readonly string[],
  maxLength: number,
): readonly Example[] {
  const indexOf = new Map(labels.map((label, index) => [label, index]));
  return rows.map((row) => ({
    ids: tokenizer.encode(row.text, maxLength).ids,
    label: row.label === undefined ? -100 : (indexOf.get(row.label) ?? -100),
  }));
}

/**
 * The padded lengths that batches use: at most four, since each is a graph of its own that takes time to
 * build. They are quantiles of the lengths, so padding stays small.
 */
export function chooseBuckets(lengths: readonly number[], count = maxBuckets): readonly number[] {
  const sorted = [...lengths].sort((a, b) => a - b);
  if (sorted.length === 0) return [];
  const quantiles = Array.from(
    { length: count },
    (_, index) => sorted[Math.ceil((sorted.length * (index + 1)) / count) - 1] ?? 1,
  );
  return [...new Set(quantiles.map((length) => Math.ceil(length / roundTo) * roundTo))];
}

const bucketOf = (length: number, buckets: readonly number[]): number =>
  buckets.find((bucket) => length <= bucket) ?? buckets.at(-1) ?? length;

function groupByBucket(
  order: readonly number[],
  examples: readonly Encoded[],
  buckets: readonly number[],
): Map<number, number[]> {
  const groups = new Map<number, number[]>();
  for (const index of order) {
    const time = bucketOf(examples[index]?.ids.length ?? 0, buckets);
    const group = groups.get(time);
    if (group === undefined) groups.set(time, [index]);
    else group.push(index);
  }
  return groups;
}

/** Items in groups of `size`; the last may have fewer. */
export const cutInto = <T>(items: readonly T[], size: number): readonly (readonly T[])[] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, at) => items.slice(at * size, (at + 1) * size));

const cut = (indices: readonly number[], size: number, time: number): readonly Batch[] =>
  cutInto(indices, size).map((own) => ({ indices: own, time }));

/** The batches of one epoch: examples in random order, batches of one length each, batches in random order. */
export function makeEpoch(
  examples: readonly Encoded[],
  buckets: readonly number[],
  size: number,
  seed: number,
): readonly Batch[] {
  const random = makeRandom(seed);
  const order = shuffle(
    examples.map((_, index) => index),
    random,
  );
  const groups = groupByBucket(order, examples, buckets);
  const batches = [...groups.keys()]
    .sort((a, b) => a - b)
    .flatMap((time) => cut(groups.get(time) ?? [], size, time));
  return shuffle(batches, random);
}

/** Every example once, in batches of one length each, without any randomness. */
export function makeBatches(
  examples: readonly Encoded[],
  buckets: readonly number[],
  size: number,
): readonly Batch[] {
  const groups = groupByBucket(
    examples.map((_, index) => index),
    examples,
    buckets,
  );
  return [...groups.keys()].sort((a, b) => a - b).flatMap((time) => cut(groups.get(time) ?? [], size, time));
}

/** Inputs of one batch: rows beyond its examples are padding, with the label −100 and one token unmasked. */
export interface BatchInputs {
  /** [batch, time] */
  readonly ids: Int32Array;
  /** [batch, time], 1 where there is a token. */
  readonly mask: Float32Array;
  /** [batch] */
  readonly labels: Int32Array;
}

/** Pads a batch to [size, time]. */
export function padBatch(
  batch: Batch,
  examples: readonly Example[],
  size: number,
  padId: number,
): BatchInputs {
  const { time, indices } = batch;
  const ids = new Int32Array(size * time).fill(padId);
  const mask = new Float32Array(size * time);
  const labels = new Int32Array(size).fill(-100);
  for (let row = 0; row < size; row++) {
    const example = examples[indices[row] ?? -1];
    if (example === undefined) {
      mask[row * time] = 1; // A row without any token would divide by zero.
      continue;
    }
    const length = Math.min(example.ids.length, time);
    ids.set(example.ids.subarray(0, length), row * time);
    mask.fill(1, row * time, row * time + length);
    labels[row] = example.label;
  }
  return { ids, mask, labels };
}
