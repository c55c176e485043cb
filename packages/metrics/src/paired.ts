import type { AnswerScores } from './answers.ts';
import { bootstrapInterval, mcNemarTest } from './intervals.ts';
import type { Interval } from './intervals.ts';
import { mean } from './mean.ts';

/** What judges written answers. */
export type AnswerMetric = keyof AnswerScores;

/** What reports call what judges answers. */
export const answerMetricNames: Readonly<Record<AnswerMetric, string>> = {
  exactMatch: 'exact match',
  f1: 'F1',
  rougeL: 'ROUGE-L',
};

/** Answers of so many words on average, or fewer, are right or wrong. */
const shortAnswer = 5;

/** Short answers are right or wrong; longer ones are more or less alike. What is wished for by name is taken. */
export function chooseAnswerMetric(
  expected: readonly string[],
  wish: 'auto' | 'exact_match' | 'f1' | 'rouge_l' = 'auto',
): AnswerMetric {
  if (wish === 'exact_match') return 'exactMatch';
  if (wish === 'f1') return 'f1';
  if (wish === 'rouge_l') return 'rougeL';
  return mean(expected.map((text) => text.split(/\s+/).length)) <= shortAnswer ? 'exactMatch' : 'rougeL';
}

/** Two-sided probability of a mean difference at least this large by chance, from signs flipped at random (Fisher 1935). */
export function signFlipTest(differences: readonly number[], random: () => number, draws = 2000): number {
  // Sums in another order differ in their last bits.
  const seen = Math.abs(mean(differences)) - 1e-12;
  let asLarge = 0;
  for (let draw = 0; draw < draws; draw++)
    if (Math.abs(mean(differences.map((difference) => (random() < 0.5 ? -difference : difference)))) >= seen)
      asLarge++;
  return (asLarge + 1) / (draws + 1);
}

/** How one way fares against another on the same rows. */
export interface PairedComparison {
  /** The first's mean over the second's. */
  readonly gain: number;
  /** Its 95 % interval. */
  readonly gainInterval: Interval;
  /** Two-sided. */
  readonly pValue: number;
  /** Rows on which the first is better. */
  readonly better: number;
  /** Rows on which it is worse. */
  readonly worse: number;
}

/** What a paired comparison needs besides the values. */
export interface PairedOptions {
  /** Gives the draws of the interval, and again those of the test: numbers in [0, 1). */
  readonly makeRandom: () => () => number;
  /** Whether every value is 0 or 1: McNemar's exact test judges these, and random signs anything else. */
  readonly isRightOrWrong: boolean;
}

/** Compares two ways by their values of the same rows, of which larger ones are better. */
export function comparePaired(
  first: readonly number[],
  second: readonly number[],
  { makeRandom, isRightOrWrong }: PairedOptions,
): PairedComparison {
  const differences = first.map((value, row) => value - (second[row] ?? 0));
  const isRight = (value: number): boolean => value === 1;
  return {
    gain: mean(differences),
    gainInterval: bootstrapInterval(
      differences.length,
      (rows) => mean(rows.map((row) => differences[row] ?? 0)),
      { random: makeRandom() },
    ),
    pValue: isRightOrWrong
      ? mcNemarTest(first.map(isRight), second.map(isRight)).pValue
      : signFlipTest(differences, makeRandom()),
    better: differences.filter((difference) => difference > 0).length,
    worse: differences.filter((difference) => difference < 0).length,
  };
}
