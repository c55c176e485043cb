import type { Interval } from './intervals.ts';
import { wilsonInterval } from './intervals.ts';

/** Quality of one class. */
export interface ClassMetrics {
  readonly label: string;
  /** Rows that have this label. */
  readonly support: number;
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/** Quality of a classifier's answers. */
export interface ClassificationMetrics {
  readonly count: number;
  readonly accuracy: number;
  /** 95 %, Wilson. */
  readonly accuracyInterval: Interval;
  /** Mean of the classes' F1. */
  readonly macroF1: number;
  /** Mean of the classes' recall. */
  readonly balancedAccuracy: number;
  readonly classes: readonly ClassMetrics[];
  /** Rows by true label, columns by answer. */
  readonly confusion: readonly (readonly number[])[];
}

const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole);

/** Compares answers with the truth; both are indices into `labels`. */
export function measureClassification(
  truth: readonly number[],
  answers: readonly number[],
  labels: readonly string[],
): ClassificationMetrics {
  const confusion = labels.map(() => labels.map(() => 0));
  truth.forEach((label, row) => {
    const line = confusion[label];
    const answer = answers[row] ?? -1;
    if (line !== undefined && answer in line) line[answer] = (line[answer] ?? 0) + 1;
  });
  const classes = labels.map((label, index): ClassMetrics => {
    const hits = confusion[index]?.[index] ?? 0;
    const support = (confusion[index] ?? []).reduce((sum, count) => sum + count, 0);
    const answered = confusion.reduce((sum, line) => sum + (line[index] ?? 0), 0);
    const precision = ratio(hits, answered);
    const recall = ratio(hits, support);
    return { label, support, precision, recall, f1: ratio(2 * precision * recall, precision + recall) };
  });
  const present = classes.filter((item) => item.support > 0);
  const right = truth.filter((label, row) => label === answers[row]).length;
  return {
    count: truth.length,
    accuracy: ratio(right, truth.length),
    accuracyInterval: wilsonInterval(right, truth.length),
    macroF1: ratio(
      present.reduce((sum, item) => sum + item.f1, 0),
      present.length,
    ),
    balancedAccuracy: ratio(
      present.reduce((sum, item) => sum + item.recall, 0),
      present.length,
    ),
    classes,
    confusion,
  };
}

/** Mean of −ln of the probability of the truth. */
export function logLoss(truth: readonly number[], probabilities: readonly (readonly number[])[]): number {
  const losses = truth.map((label, row) => -Math.log(Math.max(1e-15, probabilities[row]?.[label] ?? 0)));
  return ratio(
    losses.reduce((sum, loss) => sum + loss, 0),
    losses.length,
  );
}

/** Expected calibration error (Naeini et al. 2015): how far confidence and accuracy are apart, over equal bins of confidence. */
export function calibrationError(
  truth: readonly number[],
  probabilities: readonly (readonly number[])[],
  bins = 10,
): number {
  const sums = Array.from({ length: bins }, () => ({ count: 0, confidence: 0, right: 0 }));
  truth.forEach((label, row) => {
    const own = probabilities[row] ?? [];
    const confidence = Math.max(...own);
    const bin = sums[Math.min(bins - 1, Math.floor(confidence * bins))];
    if (bin === undefined) return;
    bin.count++;
    bin.confidence += confidence;
    if (own.indexOf(confidence) === label) bin.right++;
  });
  return sums.reduce((sum, bin) => sum + Math.abs(bin.confidence - bin.right), 0) / Math.max(1, truth.length);
}
