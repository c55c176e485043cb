import type { LanguageEncoder } from '@joyul/data';
import type { Adapter, LlamaFolder } from '@joyul/models';
import type { EvaluationPoint } from '../checkpoint.ts';
import type { Strategy } from '../formats.ts';
import type { LoopOptions, LoopStart, TrainResult } from '../train-options.ts';
import type { Question } from './answer-rows.ts';
import type { BatchLayout } from './batch-layout.ts';
import type { LanguageExample } from './language-batch.ts';

/** One evaluation of a language model; the loss is the mean of all targets. */
export interface LanguageEvaluation extends EvaluationPoint {
  /** exp(loss): among how many tokens the model is undecided on average. */
  readonly perplexity: number;
  /** What the model answered to the questions of {@link SamplePlan} with the weights of that moment; absent where none were due. */
  readonly samples?: readonly string[];
}

/** What training a language model needs. */
export interface LanguageTrainOptions extends LoopOptions<LanguageEvaluation> {
  /** Weights to start from. */
  readonly model: LlamaFolder;
  readonly train: readonly LanguageExample[];
  readonly validation: readonly LanguageExample[];
  /** The blocks that are trained; none beside an adapter, unless the merged weights are all that is wanted. */
  readonly strategy: Pick<Strategy, 'blocks'>;
  /** The adapter to start from; what it adapts stays frozen. */
  readonly adapter?: Adapter;
  /** Whether rows hold several texts, which do not see each other; absent: where it saves work. */
  readonly packing?: boolean;
  /** What the model is asked while it learns; absent: nothing. It changes nothing in the weights. */
  readonly samples?: SamplePlan;
  readonly onStart?: (start: LanguageTrainingStart) => void;
}

/**
 * Questions that the model in training answers greedily: before it, at the end of each epoch, and at evaluations between
 * that are 20 iterations apart.
 */
export interface SamplePlan {
  readonly encoder: LanguageEncoder;
  readonly questions: readonly Question[];
  /** At most so many tokens an answer. */
  readonly maxNewTokens: number;
  /** Whether it is asked before training, too; the default is true. */
  readonly asksAtStart?: boolean;
  /** Told the answers, in the order of the questions, and what they took. */
  readonly onAnswers?: (given: {
    readonly iteration: number;
    readonly answers: readonly string[];
    readonly seconds: number;
  }) => void;
}

/** Told once, before the first iteration. */
export interface LanguageTrainingStart extends LoopStart<LanguageEvaluation> {
  readonly layout: Pick<BatchLayout, 'isPacked' | 'shapes' | 'paddingShare' | 'headShare' | 'reason'>;
}

/** What training a language model gives. */
export type LanguageTrainResult = TrainResult<LanguageEvaluation>;
