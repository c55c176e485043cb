import { percent } from '@joyul/metrics';

/** What the advice rests on. */
export interface Observation {
  readonly trainLoss: number;
  readonly validationLoss: number;
  /** Validation losses in the order of the evaluations. */
  readonly validationLosses: readonly number[];
  readonly accuracy: number;
  /** Largest share of one class. */
  readonly majority: number;
  readonly calibrationError: number;
  readonly worstClass:
    { readonly label: string; readonly recall: number; readonly support: number } | undefined;
  readonly learningRate: number;
  readonly epochs: number;
  readonly method: string;
}

/** One thing to change next. */
export interface Advice {
  /** What was seen. */
  readonly finding:
    | 'overfitting'
    | 'underfitting'
    | 'still-improving'
    | 'not-learning'
    | 'weak-class'
    | 'overconfident'
    | 'none';
  readonly text: string;
  /** Params to change, by step. */
  readonly change: Readonly<Record<string, unknown>>;
}

/** Says what to change next, from the curves and the errors; several pieces may apply. */
export function advise(seen: Observation): readonly Advice[] {
  const advice: Advice[] = [];
  const best = Math.min(...seen.validationLosses);
  const last = seen.validationLosses.at(-1) ?? best;
  const isLastBest = seen.validationLosses.length > 1 && last === best;
  if (seen.accuracy <= seen.majority + 0.01) {
    advice.push({
      finding: 'not-learning',
      text: `Accuracy ${percent(seen.accuracy)} is that of always answering the most frequent class: nothing was learned. Raise the learning rate tenfold, or check the labels.`,
      change: { 'hparams.learning_rate': seen.learningRate * 10 },
    });
  } else if (last > 1.15 * best && seen.trainLoss < 0.5 * last) {
    advice.push({
      finding: 'overfitting',
      text: `Validation loss rose again from ${best.toFixed(3)} to ${last.toFixed(3)} while the training loss fell to ${seen.trainLoss.toFixed(3)}: fewer epochs, more weight decay, or fewer tuned layers.`,
      change: { 'hparams.epochs': Math.max(1, Math.floor(seen.epochs / 2)), 'hparams.weight_decay': 0.1 },
    });
  } else if (isLastBest && seen.validationLosses.length > 2) {
    advice.push({
      finding: 'still-improving',
      text: `The last evaluation was the best: more epochs may help.`,
      change: { 'hparams.epochs': seen.epochs * 2 },
    });
  } else if (seen.trainLoss > 0.8 * seen.validationLoss && seen.trainLoss > 0.5) {
    advice.push({
      finding: 'underfitting',
      text: `Training loss ${seen.trainLoss.toFixed(3)} stays as high as the validation loss: tune more layers, or raise the learning rate.`,
      change: { 'strategy.method': 'full', 'hparams.learning_rate': seen.learningRate * 3 },
    });
  }
  if (
    seen.worstClass !== undefined &&
    seen.worstClass.recall < seen.accuracy - 0.2 &&
    seen.worstClass.support >= 5
  ) {
    advice.push({
      finding: 'weak-class',
      text: `"${seen.worstClass.label}" is found in only ${percent(seen.worstClass.recall)} of its ${seen.worstClass.support} rows: add examples of it, or set class_weights: balanced.`,
      change: { 'hparams.class_weights': 'balanced' },
    });
  }
  if (seen.calibrationError > 0.1) {
    advice.push({
      finding: 'overconfident',
      text: `Confidence and accuracy differ by ${percent(seen.calibrationError)} on average: label_smoothing: 0.1 makes the probabilities more honest.`,
      change: { 'hparams.label_smoothing': 0.1 },
    });
  }
  if (advice.length === 0)
    advice.push({
      finding: 'none',
      text: 'Nothing in the curves or the errors calls for a change.',
      change: {},
    });
  return advice;
}
