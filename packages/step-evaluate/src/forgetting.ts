/** How tuning changed what a language model foresees: of its domain, and of texts that have nothing to do with it. */
import { StepFailure } from '@joyul/plugin-api';
import { makeRandom, readDataset, shuffle } from '@joyul/data';
import type { Dataset, Row } from '@joyul/data';
import { comparePaired, formatP, sayP } from '@joyul/metrics';
import { measureRows, openLanguageModel } from '@joyul/training';
import type { RowLoss } from '@joyul/training';
import type { Context } from './context.ts';

/** What measuring uses of the step's context. */
type MeasureContext = Pick<Context, 'params' | 'inputs' | 'seed' | 'backend' | 'emit'>;

/** Texts that both models are measured on. */
interface TextSet {
  /** In metrics.json. */
  readonly id: 'validation' | 'domain' | 'general';
  /** In tables. */
  readonly name: string;
  readonly rows: readonly Row[];
}

/** How a model foresees a set of texts before and after tuning. */
export interface Change extends Omit<TextSet, 'rows'> {
  readonly texts: number;
  readonly tokens: number;
  /** exp of the mean loss of all tokens. */
  readonly before: number;
  readonly after: number;
  /** Two-sided, of the texts' losses a token, by random signs. */
  readonly pValue: number;
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/** In nats a token. */
const meanLoss = (losses: readonly RowLoss[]): number =>
  sum(losses.map(({ total }) => total)) / Math.max(1, sum(losses.map(({ targets }) => targets)));

/** Compares the losses of the same texts. */
export function compareLosses(
  { id, name }: Pick<TextSet, 'id' | 'name'>,
  before: readonly RowLoss[],
  after: readonly RowLoss[],
  makeRandomNumbers: () => () => number,
): Change {
  const perToken = (losses: readonly RowLoss[]): readonly number[] =>
    losses.filter(({ targets }) => targets > 0).map(({ total, targets }) => total / targets);
  const { pValue } = comparePaired(perToken(before), perToken(after), {
    makeRandom: makeRandomNumbers,
    isRightOrWrong: false,
  });
  return {
    id,
    name,
    texts: before.length,
    tokens: sum(before.map(({ targets }) => targets)),
    before: Math.exp(meanLoss(before)),
    after: Math.exp(meanLoss(after)),
    pValue,
  };
}

const formatGrowth = ({ before, after }: Change): string => {
  const growth = 100 * (after / before - 1);
  return `${growth < 0 ? '−' : '+'}${Math.abs(growth).toFixed(1)} %`;
};

/** From which growth of perplexity on, how much is forgotten; the last that fits is said. */
const amounts: readonly (readonly [from: number, words: string])[] = [
  [0, 'Hardly anything'],
  [0.02, 'A little'],
  [0.1, 'Some'],
  [0.5, 'Much'],
];
const mend = ' Lower the learning rate, tune fewer blocks or adapters, or mix general texts in.';

/** Says how much of what the model knew is forgotten, from the texts that have nothing to do with the domain. */
export function describeForgetting(change: Change): string {
  const { before, after, texts, pValue } = change;
  const [was, is] = [before.toFixed(2), after.toFixed(2)];
  const chance = sayP(pValue);
  if (pValue >= 0.05)
    return `Nothing is seen to be forgotten: on ${texts} general texts perplexity is ${is}, before tuning ${was}, which may be chance (${chance}).`;
  if (after <= before)
    return `Nothing is forgotten: ${texts} general texts are foreseen better than before, with perplexity ${is} instead of ${was} (${chance}).`;
  const growth = after / before - 1;
  const words = amounts.findLast(([from]) => growth >= from)?.[1] ?? '';
  const isMuch = words === 'Some' || words === 'Much';
  return `${words} of what the model knew is forgotten: on ${texts} general texts perplexity rose from ${was} to ${is} (${formatGrowth(change)}, ${chance}).${isMuch ? mend : ''}`;
}

/** The texts that tell of a change: what judged the training, what was kept aside of the domain, and general ones. */
async function chooseSets(
  dataset: Dataset,
  aside: readonly string[],
  { params, inputs, seed }: MeasureContext,
): Promise<readonly TextSet[]> {
  const { header } = dataset;
  const kept = new Set(aside);
  const domain = kept.size === 0 ? [] : await dataset.rows('unlabelled');
  const sets: TextSet[] = [
    {
      id: 'validation',
      name: header.task === 'chat' ? 'validation answers' : 'validation texts',
      rows: await dataset.rows('validation'),
    },
    { id: 'domain', name: 'texts of the domain, kept aside', rows: domain.filter(({ id }) => kept.has(id)) },
  ];
  if (inputs.general !== undefined) {
    const general = await readDataset(inputs.general);
    const judged = await general.rows('validation');
    const rows = judged.length > 0 ? judged : await general.rows('train');
    const drawn = shuffle(rows, makeRandom(seed)).slice(0, params.general_rows);
    sets.push({ id: 'general', name: 'general texts', rows: drawn });
  }
  return sets.filter(({ rows }) => rows.length > 0);
}

/** Measures the untuned and the tuned model on the same texts; nothing where no untuned one is wired. */
export async function measureChanges(
  dataset: Dataset,
  training: { readonly maxLength: number; readonly aside: readonly string[] },
  context: MeasureContext,
): Promise<readonly Change[]> {
  const { inputs, seed, backend, emit } = context;
  if (inputs.model === undefined) {
    if (inputs.general === undefined) return [];
    throw new StepFailure(
      'NO_BASE',
      'general is wired, but model is not: there is nothing to compare with.',
      {
        help: 'Wire the untuned model as well: inputs: { model: select.model, … }.',
      },
    );
  }
  const sets = await chooseSets(dataset, training.aside, context);
  const rows = sets.flatMap((set) => set.rows);
  const measure = async (dir: string, activity: string): Promise<readonly RowLoss[]> => {
    emit({ type: 'progress', activity, done: 0 });
    return measureRows(await openLanguageModel(dir), rows, {
      maxLength: training.maxLength,
      ...(backend === undefined ? {} : { backend }),
    });
  };
  const before = await measure(inputs.model, 'measuring the untuned model');
  const after = await measure(inputs.trained, 'measuring the tuned model');
  let at = 0;
  return sets.map((set) => {
    const from = at;
    at += set.rows.length;
    return compareLosses(set, before.slice(from, at), after.slice(from, at), () => makeRandom(seed));
  });
}

/** Tells what changed, in a table and in words. */
export function tellChanges({ emit }: Pick<Context, 'emit'>, changes: readonly Change[]): void {
  if (changes.length === 0) return;
  const general = changes.find(({ id }) => id === 'general');
  if (general !== undefined) emit({ type: 'finding', text: describeForgetting(general) });
  const domain = changes.find(({ id }) => id === 'domain');
  if (domain !== undefined)
    emit({
      type: 'finding',
      text: `On ${domain.texts} texts of the domain that were kept aside perplexity went from ${domain.before.toFixed(2)} to ${domain.after.toFixed(2)} (${formatGrowth(domain)}, ${sayP(domain.pValue)}).`,
    });
  emit({
    type: 'table',
    title: 'Perplexity before and after tuning',
    columns: ['on', 'texts', 'tokens', 'before', 'after', 'change', 'p'],
    rows: changes.map((change) => [
      change.name,
      change.texts,
      change.tokens,
      change.before.toFixed(2),
      change.after.toFixed(2),
      formatGrowth(change),
      formatP(change.pValue),
    ]),
  });
}

/** The changes as metrics.json has them, by the texts' kind. */
export const describeChanges = (changes: readonly Change[]): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    changes.map(({ id, texts, tokens, before, after, pValue }) => [
      `change_${id}`,
      {
        texts,
        tokens,
        perplexity_before: before,
        perplexity_after: after,
        growth: after / before - 1,
        pValue,
      },
    ]),
  );
