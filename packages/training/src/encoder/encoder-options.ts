import type { Tokenizer } from '@joyul/data';
import type { Adapter, BertDropout, BertFolder } from '@joyul/models';
import type { Example } from '../batches.ts';
import type { EvaluationPoint } from '../checkpoint.ts';
import type { Strategy } from '../formats.ts';
import type { LoopOptions, LoopStart, TrainResult } from '../train-options.ts';

/**
 * What an encoder learns from texts without labels: to know a text again that went through dropout a second time among
 * the others of its batch (SimCSE, Gao et al. 2021), or to guess masked words (Devlin et al. 2019).
 */
export type Objective = 'contrastive' | 'masked';

/** One evaluation on texts kept aside. */
export interface EncoderEvaluation extends EvaluationPoint {
  /** What else was measured, by name: alignment and uniformity, or the share of masked words that are guessed. */
  readonly measures: Readonly<Record<string, number>>;
}

/** What training an encoder on texts without labels needs. */
export interface EncoderTrainOptions extends LoopOptions<EncoderEvaluation> {
  /** Weights to start from; a classifier's head among them is left out. */
  readonly model: BertFolder;
  readonly objective: Objective;
  /** Labels do not count. */
  readonly train: readonly Example[];
  readonly validation: readonly Example[];
  readonly tokenizer: Pick<Tokenizer, 'padId' | 'maskId' | 'specialIds'>;
  /** The blocks that are trained; none beside an adapter. */
  readonly strategy: Pick<Strategy, 'blocks' | 'pooling'>;
  /** The adapter to start from; what it adapts stays frozen. */
  readonly adapter?: Adapter;
  /** What is dropped while training; the default is what the model's config.json says, else a tenth. */
  readonly dropout?: BertDropout['rates'];
  readonly onStart?: (start: LoopStart<EncoderEvaluation>) => void;
}

/** What training an encoder on texts without labels gives. */
export type EncoderTrainResult = TrainResult<EncoderEvaluation>;
