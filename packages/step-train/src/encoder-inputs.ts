import { openTokenizer } from '@joyul/data';
import type { Tokenizer } from '@joyul/data';
import type { BertFolder } from '@joyul/models';
import { openEncoder, readHparams } from '@joyul/training';
import type { Hparams } from '@joyul/training';
import type { Context } from './common.ts';

/** What training an encoder starts from. */
export interface EncoderInputs {
  readonly model: BertFolder;
  readonly tokenizer: Tokenizer;
  readonly hparams: Hparams;
}

/** Opens the encoder with its tokenizer, and reads the hyperparameters. */
export async function openEncoderInputs({ inputs }: Pick<Context, 'inputs'>): Promise<EncoderInputs> {
  const [{ values: hparams }, model, tokenizer] = await Promise.all([
    readHparams(inputs.hparams),
    openEncoder(inputs.weights),
    openTokenizer(inputs.weights),
  ]);
  return { model, tokenizer, hparams };
}
