/** Which written rows are kept, and why the others are not. */
import { duplicateKey, sealedKeyOf } from '@joyul/data';
import { scoreAnswer } from '@joyul/metrics';
import { parsePair } from './prompts.ts';
import type { Pair } from './prompts.ts';

/** Why a written row is dropped. */
export type DropReason =
  | 'came to no end'
  | 'no question with an answer'
  | 'longer than any training row twice'
  | 'repeats a row that is judged'
  | 'repeats a training row'
  | 'repeats another generated row'
  | 'samples disagree'
  | 'too surprising to the model'
  | 'over the limit';

/** What the model wrote. */
export interface Written {
  readonly text: string;
  /** Whether the model itself ended it. */
  readonly isEnded: boolean;
}

/** What generated rows are held against. */
export interface Known {
  readonly train: readonly Pair[];
  /** Questions of the validation split. */
  readonly judged: readonly string[];
  /** Digests of what the sealed test rows ask. */
  readonly sealedKeys: ReadonlySet<string>;
  /** From this ROUGE-L on a question repeats another. */
  readonly maxRouge: number;
}

const longestOf = (texts: readonly string[]): number => Math.max(0, ...texts.map(({ length }) => length));

/** Drops what cannot be a training row before anything is asked again; remembers what it kept. */
export class RowFilter {
  readonly #known: Known;
  readonly #longest: { readonly question: number; readonly answer: number };
  readonly #kept: string[] = [];

  constructor(known: Known) {
    this.#known = known;
    this.#longest = {
      question: longestOf(known.train.map(({ question }) => question)),
      answer: longestOf(known.train.map(({ answer }) => answer)),
    };
  }

  /** The row, or why it is none. */
  take({ text, isEnded }: Written): Pair | DropReason {
    if (!isEnded) return 'came to no end';
    const pair = parsePair(text);
    if (pair === undefined) return 'no question with an answer';
    const { question, answer } = pair;
    if (question.length > 2 * this.#longest.question || answer.length > 2 * this.#longest.answer)
      return 'longer than any training row twice';
    const { train, judged, sealedKeys } = this.#known;
    if (sealedKeys.has(sealedKeyOf(question)) || this.#repeats(question, judged))
      return 'repeats a row that is judged';
    if (
      this.#repeats(
        question,
        train.map((item) => item.question),
      )
    )
      return 'repeats a training row';
    if (this.#repeats(question, this.#kept)) return 'repeats another generated row';
    this.#kept.push(question);
    return pair;
  }

  #repeats(question: string, others: readonly string[]): boolean {
    const key = duplicateKey(question);
    return others.some(
      (other) => duplicateKey(other) === key || scoreAnswer(question, other).rougeL >= this.#known.maxRouge,
    );
  }
}

/** ROUGE-L from which on two answers say the same. */
const sameAnswer = 0.7;

/** Which share of samples says what an answer says; 1 where there are none. */
export function measureAgreement(answer: string, samples: readonly string[]): number {
  if (samples.length === 0) return 1;
  const alike = samples.filter((sample) => scoreAnswer(sample, answer).rougeL >= sameAnswer);
  return alike.length / samples.length;
}

/** Counts of what was dropped, in the order of the filter. */
export function countReasons(
  reasons: readonly DropReason[],
): readonly (readonly [reason: DropReason, count: number])[] {
  const counts = new Map<DropReason, number>();
  for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  return [...counts];
}
