import { percent } from '@joyul/metrics';
import type { Advice } from './advise.ts';

/** What the advice on a language model rests on. */
export interface LanguageObservation {
  /** Over the last iterations. */
  readonly trainLoss: number;
  /** In the order of the evaluations; the first is before training. */
  readonly validationLosses: readonly number[];
  /** Share of the answers that the model itself ended; absent where it answered nothing. */
  readonly ended: number | undefined;
  readonly epochs: number;
  readonly learningRate: number;
  readonly maxNewTokens: number;
}

/** Says what to change next, from the curves and the answers; several pieces may apply. */
export function adviseLanguage(seen: LanguageObservation): readonly Advice[] {
  const { trainLoss, validationLosses, ended, epochs, learningRate, maxNewTokens } = seen;
  const advice: Advice[] = [];
  const best = Math.min(...validationLosses);
  const last = validationLosses.at(-1) ?? best;
  if (validationLosses.length > 1 && best === validationLosses[0])
    advice.push({
      finding: 'not-learning',
      text: 'No evaluation was better than the untuned model: lower the learning rate, or check that the data are what the model is to say.',
      change: { 'hparams.learning_rate': learningRate / 3 },
    });
  else if (last > 1.05 * best && trainLoss < 0.8 * last)
    advice.push({
      finding: 'overfitting',
      text: `Validation loss rose again from ${best.toFixed(3)} to ${last.toFixed(3)} while the training loss fell to ${trainLoss.toFixed(3)}: fewer epochs, a lower rank, or more data.`,
      change: { 'hparams.epochs': Math.max(1, Math.floor(epochs / 2)) },
    });
  else if (validationLosses.length > 2 && last === best)
    advice.push({
      finding: 'still-improving',
      text: 'The last evaluation was the best: more epochs may help.',
      change: { 'hparams.epochs': epochs * 2 },
    });
  if (ended !== undefined && ended < 0.9)
    advice.push({
      finding: 'underfitting',
      text: `Only ${percent(ended)} of the answers came to an end within ${maxNewTokens} tokens: raise max_new_tokens if answers are longer than that; otherwise the model has not learned when to stop.`,
      change: { 'evaluate.max_new_tokens': maxNewTokens * 2 },
    });
  return advice.length > 0
    ? advice
    : [{ finding: 'none', text: 'Nothing in the curves or the answers calls for a change.', change: {} }];
}
