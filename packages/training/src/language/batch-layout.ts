import { makeRandom, shuffle } from '@joyul/data';
import type { LlamaConfig } from '@joyul/models';
import { chooseBuckets, cutInto, makeBatches, makeEpoch } from '../batches.ts';
import type { Batch } from '../batches.ts';
import { countTargets } from './language-batch.ts';
import type { LanguageBatch, LanguageExample } from './language-batch.ts';
import type { LanguageShape } from './language-program.ts';
import { packRows } from './pack-rows.ts';

/** How texts become batches. */
export interface BatchLayout {
  readonly isPacked: boolean;
  /** Each is a graph of its own. */
  readonly shapes: readonly LanguageShape[];
  /** Share of the computed tokens of an epoch that are padding. */
  readonly paddingShare: number;
  /** Share of the computed tokens for which the head is computed. */
  readonly headShare: number;
  /** In words. */
  readonly reason: string;
  /** The training batches of an epoch; the same for the same seed. */
  makeEpoch(seed: number): readonly LanguageBatch[];
  /** Every validation text once. */
  readonly validation: readonly LanguageBatch[];
}

/** What batches are made of. */
export interface LayoutOptions {
  readonly config: LlamaConfig;
  /** No longer than `maxLength`, each with a target. */
  readonly train: readonly LanguageExample[];
  readonly validation: readonly LanguageExample[];
  /** Texts of a batch; where rows are packed, so many on average. */
  readonly batchSize: number;
  readonly maxLength: number;
  readonly seed: number;
  /** Whether rows hold several texts; absent: where it saves work. */
  readonly packing?: boolean;
}

const roundTo = 8;
const roundUp = (length: number): number => Math.ceil(length / roundTo) * roundTo;

/** Packing must save this share of the work: shuffling whole rows mixes texts less. */
const leastSaving = 0.1;
/** The head for chosen rows must save this share of the head's work. */
const leastHeadSaving = 0.25;

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** How many targets a batch of these rows can have, rounded up; undefined where the whole head costs hardly more. */
function chooseTargets(batch: number, time: number, perRow: readonly number[]): number | undefined {
  const most = roundUp(Math.max(1, sum([...perRow].sort((left, right) => right - left).slice(0, batch))));
  return most <= (1 - leastHeadSaving) * batch * time ? most : undefined;
}

const makeShape = (
  batch: number,
  time: number,
  perRow: readonly number[],
  isPacked: boolean,
): LanguageShape => {
  const targets = chooseTargets(batch, time, perRow);
  return { batch, time, ...(targets === undefined ? {} : { targets }), ...(isPacked ? { isPacked } : {}) };
};

/** Multiplications of one layer for all tokens of a shape: linear layers, and scores and mixtures of attention. */
function costOf({ batch, time }: LanguageShape, config: LlamaConfig): number {
  const { hiddenSize, heads, keyValueHeads, headDim, intermediateSize } = config;
  const linear = hiddenSize * (2 * heads * headDim + 2 * keyValueHeads * headDim + 3 * intermediateSize);
  return batch * time * (linear + 2 * time * heads * headDim);
}

/** A layout before it is compared with others. */
interface Draft extends Omit<BatchLayout, 'paddingShare' | 'headShare' | 'reason'> {
  /** The batches that stand for any epoch. */
  readonly epoch: readonly LanguageBatch[];
}

/** One text a row, rows of like length together. */
function layInBuckets({ train, validation, batchSize, seed }: LayoutOptions): Draft {
  const all = [...train, ...validation];
  const buckets = chooseBuckets(all.map(({ ids }) => ids.length));
  const shapes = buckets.map((time, index) => {
    const isHere = ({ ids }: LanguageExample): boolean =>
      ids.length <= time && ids.length > (buckets[index - 1] ?? 0);
    return makeShape(batchSize, time, all.filter(isHere).map(countTargets), false);
  });
  const complete = (batches: readonly Batch[]): readonly LanguageBatch[] =>
    batches.flatMap(({ indices, time }) => {
      const shape = shapes.find((item) => item.time === time);
      return shape === undefined ? [] : [{ rows: indices.map((index) => [index]), shape }];
    });
  const makeBucketed = (own: number): readonly LanguageBatch[] =>
    complete(makeEpoch(train, buckets, batchSize, own));
  return {
    isPacked: false,
    shapes,
    epoch: makeBucketed(seed),
    makeEpoch: makeBucketed,
    validation: complete(makeBatches(validation, buckets, batchSize)),
  };
}

/** Several texts a row; the same rows in every epoch, in another order. */
function layInRows({ train, validation, batchSize, seed }: LayoutOptions, time: number): Draft {
  const pack = (examples: readonly LanguageExample[]): readonly (readonly number[])[] =>
    packRows(examples.map(({ ids }) => ids.length), time, seed); // prettier-ignore
  const countRow = (row: readonly number[], examples: readonly LanguageExample[]): number =>
    sum(row.flatMap((index) => examples[index] ?? []).map(countTargets));
  const [rows, validationRows] = [pack(train), pack(validation)];
  const batch = Math.max(1, Math.round((batchSize * rows.length) / train.length));
  const perRow = [
    ...rows.map((row) => countRow(row, train)),
    ...validationRows.map((row) => countRow(row, validation)),
  ];
  const shape = makeShape(batch, time, perRow, true);
  const complete = (all: typeof rows): readonly LanguageBatch[] =>
    cutInto(all, batch).map((own) => ({ rows: own, shape }));
  return {
    isPacked: true,
    shapes: [shape],
    epoch: complete(rows),
    makeEpoch: (own) => complete(shuffle(rows, makeRandom(own))),
    validation: complete(validationRows),
  };
}

const tokensOf = ({ epoch }: Draft): number => sum(epoch.map(({ shape }) => shape.batch * shape.time));
const percent = (share: number): string => `${Math.round(100 * share)} %`;
const formatList = (items: readonly number[]): string =>
  items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} or ${String(items.at(-1))}`;

/** What a layout costs for each token of a text. */
interface Judged {
  readonly draft: Draft;
  readonly paddingShare: number;
  readonly cost: number;
}

function judge(draft: Draft, { train, config }: LayoutOptions): Judged {
  const own = sum(train.map(({ ids }) => ids.length));
  const cost = sum(draft.epoch.map(({ shape }) => costOf(shape, config)));
  return { draft, cost, paddingShare: 1 - own / tokensOf(draft) };
}

function describe(chosen: Judged, other: Judged | undefined, { train }: LayoutOptions): string {
  const { draft, paddingShare } = chosen;
  const times = formatList(draft.shapes.map(({ time }) => time));
  if (!draft.isPacked)
    return `Texts of like length go together, in rows of ${times} tokens: ${percent(paddingShare)} of what is computed is padding.`;
  const rows = sum(draft.epoch.map((batch) => batch.rows.length));
  const instead =
    other === undefined ? '' : `; with one text a row it would be ${percent(other.paddingShare)}`;
  return `Rows of ${times} tokens hold ${(train.length / rows).toFixed(1)} texts each, which do not see each other: ${percent(paddingShare)} of what is computed is padding${instead}.`;
}

/**
 * Lays texts out in batches of few shapes: rows of like length together, or several texts a row where that saves work.
 *
 * Where targets are few, the head is computed for the rows before them only.
 */
export function layOut(options: LayoutOptions): BatchLayout {
  const { train, validation, maxLength, packing } = options;
  const longest = roundUp([...train, ...validation].reduce((most, { ids }) => Math.max(most, ids.length), 1));
  const bucketed = packing === true ? undefined : judge(layInBuckets(options), options);
  const times = packing === false ? [] : [...new Set([longest, Math.max(longest, roundUp(maxLength))])];
  const [packed] = times
    .map((time) => judge(layInRows(options, time), options))
    .sort((left, right) => left.cost - right.cost);
  const isWorthIt =
    packed !== undefined && (bucketed === undefined || packed.cost <= (1 - leastSaving) * bucketed.cost);
  const chosen = isWorthIt ? packed : bucketed;
  if (chosen === undefined) throw new Error('Internal error: no batches can be made.');
  const { epoch, ...draft } = chosen.draft;
  const headRows = sum(epoch.map(({ shape }) => shape.targets ?? shape.batch * shape.time));
  const headShare = headRows / tokensOf(chosen.draft);
  const head = headShare < 1 ? ` The head is computed for ${percent(headShare)} of it.` : '';
  return {
    ...draft,
    paddingShare: chosen.paddingShare,
    headShare,
    reason: describe(chosen, bucketed, options) + head,
  };
}
