import type { Adapter, LlamaFolder } from '@joyul/models';
import type { EvaluationPoint } from '../checkpoint.ts';
import type { Strategy } from '../formats.ts';
import type { LoopOptions, LoopStart, TrainResult } from '../train-options.ts';
import type { BatchLayout } from './batch-layout.ts';
import type { LanguageExample } from './language-batch.ts';

/** One evaluation of a language model; the loss is the mean of all targets. */
export interface LanguageEvaluation extends EvaluationPoint {
  /** exp(loss): among how many tokens the model is undecided on average. */
  readonly perplexity: number;
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
  readonly onStart?: (start: LanguageTrainingStart) => void;
}

/** Told once, before the first iteration. */
export interface LanguageTrainingStart extends LoopStart<LanguageEvaluation> {
  readonly layout: Pick<BatchLayout, 'isPacked' | 'shapes' | 'paddingShare' | 'headShare' | 'reason'>;
}

/** What training a language model gives. */
export type LanguageTrainResult = TrainResult<LanguageEvaluation>;
