import { comparePaired, mean, percent, sayP } from '@joyul/metrics';
import type { PairedComparison } from '@joyul/metrics';

/** One of the two models. */
export type Side = 'candidate' | 'simpler';

/** Both models on the same rows. */
export interface Judgement {
  /** What judges, as reports call it. */
  readonly metric: string;
  /** What a row is called, in the plural. */
  readonly unit: 'rows' | 'questions' | 'texts';
  /** Shares are told in percent, and more is better; of losses less is. */
  readonly kind: 'share' | 'loss';
  /** By row. */
  readonly values: Readonly<Record<Side, readonly number[]>>;
  /** Whether every value is 0 or 1. */
  readonly isRightOrWrong: boolean;
}

/** Which model is kept, and why. */
export interface Decision extends Omit<PairedComparison, 'gain' | 'gainInterval'> {
  readonly kept: Side;
  /** The mean of each model. */
  readonly means: Readonly<Record<Side, number>>;
  /** Of the candidate over the simpler one, larger is better. */
  readonly gain: number;
  /** 95 %. */
  readonly gainInterval: PairedComparison['gainInterval'];
  /** In words. */
  readonly text: string;
}

/** A mean as reports show it. */
export const formatMean = (value: number, { kind }: Pick<Judgement, 'kind'>): string =>
  kind === 'share' ? percent(value) : value.toFixed(3);

function explain(judgement: Judgement, decision: Omit<Decision, 'text'>, alpha: number): string {
  const { metric, unit, kind, values } = judgement;
  const { kept, means, gain, gainInterval, pValue } = decision;
  const scale = kind === 'share' ? 100 : 1;
  const digits = kind === 'share' ? 1 : 3;
  const show = (value: number): string => (scale * value).toFixed(digits);
  const [candidate, simpler] = [formatMean(means.candidate, judgement), formatMean(means.simpler, judgement)];
  const where = `on ${values.candidate.length} validation ${unit}`;
  const test = judgement.isRightOrWrong ? 'exact McNemar test' : 'random signs';
  const chance = `${sayP(pValue)}, ${test}`;
  const range = `95 %: ${show(gainInterval.low)} to ${show(gainInterval.high)}`;
  const points = kind === 'share' ? ' points' : '';
  const sizes = `${show(Math.abs(gain))}${points} ${gain < 0 ? 'worse' : 'better'} (${range})`;
  if (kept === 'candidate')
    return `Kept the candidate: its ${metric} ${where} is ${candidate}, that of the simpler model ${simpler}. It is ${sizes}, and that is no chance (${chance}).`;
  const figures = `Kept the simpler model: its ${metric} ${where} is ${simpler}, that of the candidate ${candidate}.`;
  if (gain === 0) return `${figures} The extra stage gives nothing here (${chance}).`;
  if (gain < 0) return `${figures} The candidate is ${sizes}, ${chance}: the extra stage does not help here.`;
  return `${figures} The candidate is ${sizes}, but on so few ${unit} that may be chance (${chance}; alpha is ${alpha}).`;
}

/** Decides for the candidate only where it is better and that would be chance with less than `alpha`. */
export function decide(judgement: Judgement, alpha: number, makeRandom: () => () => number): Decision {
  const { values, kind, isRightOrWrong } = judgement;
  const towards = (list: readonly number[]): readonly number[] =>
    kind === 'share' ? list : list.map((value) => -value);
  const compared = comparePaired(towards(values.candidate), towards(values.simpler), {
    makeRandom,
    isRightOrWrong,
  });
  const decision = {
    ...compared,
    kept: compared.gain > 0 && compared.pValue < alpha ? ('candidate' as const) : ('simpler' as const),
    means: { candidate: mean(values.candidate), simpler: mean(values.simpler) },
  };
  return { ...decision, text: explain(judgement, decision, alpha) };
}
