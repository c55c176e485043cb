/** A range that holds the true value with a stated confidence. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/** The two-sided quantile of the standard normal distribution for 95 %. */
const z95 = 1.959963984540054;

/** The 95 % interval of a share, by Wilson (1927): good for small counts and shares near 0 or 1. */
export function wilsonInterval(successes: number, count: number, z = z95): Interval {
  if (count === 0) return { low: 0, high: 1 };
  const share = successes / count;
  const scale = 1 + z ** 2 / count;
  const centre = (share + z ** 2 / (2 * count)) / scale;
  const half = (z / scale) * Math.sqrt((share * (1 - share)) / count + z ** 2 / (4 * count ** 2));
  return { low: Math.max(0, centre - half), high: Math.min(1, centre + half) };
}

/** The percentile bootstrap interval of a statistic of rows (Efron 1979); `random` gives numbers in [0, 1). */
export function bootstrapInterval(
  count: number,
  statistic: (rows: readonly number[]) => number,
  options: { readonly random: () => number; readonly draws?: number; readonly confidence?: number },
): Interval {
  const { random, draws = 1000, confidence = 0.95 } = options;
  const values = Array.from({ length: draws }, () =>
    statistic(Array.from({ length: count }, () => Math.floor(random() * count))),
  );
  values.sort((left, right) => left - right);
  const at = (share: number): number =>
    values[Math.min(draws - 1, Math.max(0, Math.round(share * (draws - 1))))] ?? 0;
  return { low: at((1 - confidence) / 2), high: at((1 + confidence) / 2) };
}

/** ln Γ(x) for x > 0, by Lanczos' approximation with g = 7. */
function logGamma(x: number): number {
  const coefficients = [
    0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059,
    12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
  ];
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const shifted = x - 1;
  const base = shifted + 7.5;
  const series = coefficients.reduce(
    (sum, coefficient, index) => sum + (index === 0 ? coefficient : coefficient / (shifted + index)),
    0,
  );
  return 0.5 * Math.log(2 * Math.PI) + (shifted + 0.5) * Math.log(base) - base + Math.log(series);
}

/** Rows on which two classifiers differ in being right. */
export interface McNemar {
  /** Right only by the first. */
  readonly onlyFirst: number;
  /** Right only by the second. */
  readonly onlySecond: number;
  /** Two-sided exact probability of a difference at least this large if both were equally good. */
  readonly pValue: number;
}

/** McNemar's exact test (1947) on paired answers: a binomial test of the rows on which exactly one is right. */
export function mcNemarTest(first: readonly boolean[], second: readonly boolean[]): McNemar {
  const onlyFirst = first.filter((isRight, row) => isRight && second[row] === false).length;
  const onlySecond = second.filter((isRight, row) => isRight && first[row] === false).length;
  const total = onlyFirst + onlySecond;
  const smaller = Math.min(onlyFirst, onlySecond);
  let tail = 0;
  for (let k = 0; k <= smaller; k++)
    tail += Math.exp(logGamma(total + 1) - logGamma(k + 1) - logGamma(total - k + 1) - total * Math.LN2);
  return { onlyFirst, onlySecond, pValue: Math.min(1, 2 * tail) };
}

/** P-values corrected for the number of comparisons, by Holm (1979). */
export function holmAdjust(pValues: readonly number[]): readonly number[] {
  const order = pValues.map((_, index) => index).sort((a, b) => (pValues[a] ?? 0) - (pValues[b] ?? 0));
  const adjusted = pValues.map(() => 0);
  let largest = 0;
  order.forEach((index, rank) => {
    largest = Math.max(largest, Math.min(1, (pValues.length - rank) * (pValues[index] ?? 0)));
    adjusted[index] = largest;
  });
  return adjusted;
}

/** The smallest accuracy difference that `count` paired rows would show with 80 % power, when answers differ on this share of them. */
export function smallestDetectable(count: number, disagreement = 0.1): number {
  return 2.8 * Math.sqrt(disagreement / Math.max(1, count));
}
