/** Whether fine-tuning is worth it, and which way. */
import { holmAdjust, mean, percent, sayP } from '@joyul/metrics';
import type { Price } from './cost.ts';
import { formatSize, isCheaper } from './cost.ts';
import { comparePaired, level } from './paired.ts';

/** A way, as the decision sees it. */
export interface Candidate {
  readonly name: string;
  /** How good each answer is, on the same questions for all. */
  readonly values: readonly number[];
  readonly price: Price;
}

/** What the figures say. */
export interface Decision {
  /** Absent where no tuned model was among them. */
  readonly isWorthIt?: boolean;
  readonly best: string;
  /** The cheapest that is not significantly worse than the best. */
  readonly choice: string;
  /** In words. */
  readonly text: string;
}

/** A way beside the best. */
interface Judged extends Candidate {
  readonly score: number;
  /** Of its difference from the best, corrected for the number of ways; 1 for the best itself. */
  readonly pValue: number;
}

/** Every way beside the best; of equal ones the cheaper is the best. */
function judge(
  candidates: readonly Candidate[],
  seed: number,
): { readonly best: Judged; readonly all: readonly Judged[] } {
  const scored = candidates
    .map((candidate) => ({ ...candidate, score: mean(candidate.values), pValue: 1 }))
    .sort((left, right) => right.score - left.score || (isCheaper(left.price, right.price) ? -1 : 1));
  const [best, ...others] = scored;
  if (best === undefined) throw new Error('Internal error: nobody answered.');
  const raw = others.map(({ values }) => comparePaired(best.values, values, seed).pValue);
  const adjusted = holmAdjust(raw);
  return { best, all: [best, ...others.map((other, at) => ({ ...other, pValue: adjusted[at] ?? 1 }))] };
}

const capitalize = (text: string): string => `${text[0]?.toUpperCase() ?? ''}${text.slice(1)}`;

function describe(choice: Judged, best: Judged, all: readonly Judged[]): string {
  const isBest = choice.name === best.name;
  const reach = `${choice.name} reaches ${percent(choice.score)}`;
  const rest = isBest
    ? 'and nothing is better'
    : `and the best, ${best.name} with ${percent(best.score)}, is not significantly better (${sayP(choice.pValue)})`;
  if (choice.price.kind === 'prompt') return `${reach}, ${rest}.`;
  const size = `${formatSize(choice.price.diskBytes)} besides the base model`;
  if (choice.price.kind === 'features')
    return `A new head on frozen features, which is not fine-tuning, reaches ${percent(choice.score)}, ${rest}. It can only give answers that it was shown, and is ${size}.`;
  const prompt = all.find(({ price }) => price.kind === 'prompt');
  const against =
    prompt === undefined
      ? ''
      : ` The best prompt (${prompt.name}) reaches ${percent(prompt.score)}, significantly less than ${isBest ? 'that' : 'the best'} (${sayP(prompt.pValue)}).`;
  return `The way to take is ${choice.name}: ${percent(choice.score)}, ${rest}; it is ${size}.${against}`;
}

/** The best way, the cheapest that is as good as far as can be told, and whether that is fine-tuning. */
export function decide(candidates: readonly Candidate[], seed: number): Decision {
  const { best, all } = judge(candidates, seed);
  const choice = all
    .filter(({ pValue }) => pValue >= level)
    .reduce((left, right) => (isCheaper(right.price, left.price) ? right : left));
  const names = { best: best.name, choice: choice.name };
  const text = describe(choice, best, all);
  if (!all.some(({ price }) => price.kind === 'tuned')) return { ...names, text: capitalize(text) };
  const isWorthIt = choice.price.kind === 'tuned';
  const answer = `Fine-tuning is ${isWorthIt ? '' : 'not '}worth it for this data.`;
  return { isWorthIt, ...names, text: `${answer} ${capitalize(text)}` };
}
