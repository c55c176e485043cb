/** Two ways on the same questions. */
import { makeRandom } from '@joyul/data';
import { bootstrapInterval, mcNemarTest } from '@joyul/metrics';
import type { Interval } from '@joyul/metrics';

/** The mean; 0 of nothing. */
export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** A difference is no chance below this. */
export const level = 0.05;

/** The first of two ways beside the second. */
export interface Paired {
  /** Mean difference. */
  readonly gain: number;
  readonly gainInterval: Interval;
  /** Two-sided probability of a difference at least this large by chance. */
  readonly pValue: number;
  /** Questions on which the first is better, and on which it is worse. */
  readonly better: number;
  readonly worse: number;
}

/** Two-sided probability of a mean difference at least this large by chance, from signs flipped at random. */
export function signFlipTest(differences: readonly number[], random: () => number, draws = 2000): number {
  // Sums in another order differ in their last bits.
  const seen = Math.abs(mean(differences)) - 1e-12;
  let asLarge = 0;
  for (let draw = 0; draw < draws; draw++)
    if (Math.abs(mean(differences.map((difference) => (random() < 0.5 ? -difference : difference)))) >= seen)
      asLarge++;
  return (asLarge + 1) / (draws + 1);
}

/** Compares two ways by their values on each question: McNemar's exact test where all are right or wrong, flipped signs otherwise. */
export function comparePaired(first: readonly number[], second: readonly number[], seed: number): Paired {
  const differences = first.map((value, row) => value - (second[row] ?? 0));
  const areBinary = [...first, ...second].every((value) => value === 0 || value === 1);
  const isRight = (value: number): boolean => value === 1;
  return {
    gain: mean(differences),
    gainInterval: bootstrapInterval(
      differences.length,
      (rows) => mean(rows.map((row) => differences[row] ?? 0)),
      { random: makeRandom(seed) },
    ),
    pValue: areBinary
      ? mcNemarTest(first.map(isRight), second.map(isRight)).pValue
      : signFlipTest(differences, makeRandom(seed)),
    better: differences.filter((difference) => difference > 0).length,
    worse: differences.filter((difference) => difference < 0).length,
  };
}

/** A share in words. */
export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** A probability in words. */
export const formatP = (pValue: number): string =>
  pValue < 0.001 ? 'p < 0.001' : `p = ${pValue.toPrecision(2)}`;
