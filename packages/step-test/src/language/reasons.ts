/** The four reasons to fine-tune, held against what was measured: a tuned model beside prompts for the untuned one. */
import { mean, percent, sayP, signFlipTest } from '@joyul/metrics';
import type { PartLoss } from '@joyul/training';
import { meanLoss } from '@joyul/training';
import { makeRandom } from '@joyul/data';
import { comparePaired, level } from './paired.ts';

/** Whether a reason holds for this data. */
export type Verdict = 'holds' | 'does not hold' | 'cannot be told here';

/** A reason to fine-tune, and what was found of it. */
export interface Reason {
  readonly name: 'consistency' | 'capability' | 'topic knowledge' | 'errors mended';
  readonly verdict: Verdict;
  /** Of the tuned model, and of what it is held against. */
  readonly tuned: number;
  readonly other: number;
  readonly pValue: number;
  /** In words. */
  readonly text: string;
}

/** A gain that may be chance decides nothing; no gain does. */
const judge = (gain: number, pValue: number): Verdict =>
  gain <= 0 ? 'does not hold' : pValue < level ? 'holds' : 'cannot be told here';

const say = (name: string, verdict: Verdict, figures: string): string => `${name}: ${verdict}. ${figures}`;

/** Whether answers stay more alike when questions are changed in ways that do not matter, or drawn again: [questions] each. */
export function judgeConsistency(
  tuned: readonly number[],
  prompt: { readonly name: string; readonly agreement: readonly number[] },
  seed: number,
): Reason {
  const { gain, pValue } = comparePaired(tuned, prompt.agreement, seed);
  const verdict = judge(gain, pValue);
  const own = { tuned: mean(tuned), other: mean(prompt.agreement) };
  const text = say(
    'Consistency',
    verdict,
    `When questions are changed a little or answered again by chance, ${percent(own.tuned)} of the tuned model's answers stay, and ${percent(own.other)} of those of the best prompt (${prompt.name}; ${sayP(pValue)}).`,
  );
  return { name: 'consistency', verdict, ...own, pValue, text };
}

/** From where on an answer is right: shorter ones have to be exact. */
const rightFrom = 0.5;

/**
 * Whether the tuned model does what no prompt can. Held against a judge that knew for each question which prompt answers
 * it best, so that only questions beyond every prompt count for tuning.
 */
export function judgeCapability(
  tuned: readonly number[],
  prompts: readonly (readonly number[])[],
  seed: number,
): Reason {
  const isRight = (value: number | undefined): number => Number((value ?? 0) >= rightFrom);
  const own = tuned.map(isRight);
  const any = tuned.map((_, row) => Math.max(0, ...prompts.map((values) => isRight(values[row]))));
  const { gain, pValue, better, worse } = comparePaired(own, any, seed);
  const verdict = judge(gain, pValue);
  const count = Math.max(1, tuned.length);
  const text = say(
    'More capability',
    verdict,
    `${better} of ${tuned.length} questions (${percent(better / count)}) are answered rightly by the tuned model and by none of ${prompts.length} prompts, ${worse} by one of these and not by the tuned model (${sayP(pValue)}).`,
  );
  return { name: 'capability', verdict, tuned: better / count, other: worse / count, pValue, text };
}

/** Whether the tuned model knows texts of the topic better: what it finds new in the test texts, questions included. */
export function judgeKnowledge(tuned: readonly PartLoss[], base: readonly PartLoss[], seed: number): Reason {
  const differences = base.map(({ total }, part) => total - (tuned[part]?.total ?? 0));
  const pValue = signFlipTest(differences, makeRandom(seed));
  const verdict = judge(mean(differences), pValue);
  const own = { tuned: Math.exp(meanLoss(tuned)), other: Math.exp(meanLoss(base)) };
  const text = say(
    'Topic knowledge',
    verdict,
    `The tuned model reads the test texts with a perplexity of ${own.tuned.toFixed(2)}, the untuned one with ${own.other.toFixed(2)} (${sayP(pValue)}).`,
  );
  return { name: 'topic knowledge', verdict, ...own, pValue, text };
}

/** Whether tuning mends more of the best prompt's errors than it makes new ones. */
export function judgeErrors(
  tuned: readonly number[],
  prompt: { readonly name: string; readonly values: readonly number[] },
  seed: number,
): Reason {
  const { gain, pValue, better, worse } = comparePaired(tuned, prompt.values, seed);
  const verdict = judge(gain, pValue);
  const text = say(
    'Errors mended',
    verdict,
    `${better} ${better === 1 ? 'answer is' : 'answers are'} better than those of the best prompt (${prompt.name}), ${worse} ${worse === 1 ? 'is' : 'are'} worse (${sayP(pValue)}).`,
  );
  return { name: 'errors mended', verdict, tuned: better, other: worse, pValue, text };
}
