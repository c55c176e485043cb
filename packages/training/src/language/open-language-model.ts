import {
  ChatTemplateError,
  compareEncoders,
  makeLanguageEncoder,
  openChatTemplate,
  openTokenizer,
  recordEncoder,
} from '@joyul/data';
import type { EncoderRecord, LanguageEncoder } from '@joyul/data';
import { readTokenizerFiles } from '@joyul/models';
import type { LlamaFolder } from '@joyul/models';
import { StepFailure } from '@joyul/plugin-api';
import { openStepModel } from '../open-step-model.ts';

/** A decoder with what turns conversations and texts into its tokens. */
export interface LanguageModel {
  readonly model: LlamaFolder;
  readonly encoder: LanguageEncoder;
  /** What decides the encoder's tokens. */
  readonly encoding: EncoderRecord;
}

/** What the train step writes into a model's description. */
interface TrainedWith {
  readonly tokenizerDigest?: string;
  readonly encoder?: EncoderRecord;
}

/** Refuses a model that would be asked with other tokens than it was trained with. */
function checkEncoding({ rawConfig }: LlamaFolder, now: EncoderRecord): void {
  const trained = rawConfig['joyul'] as TrainedWith | undefined; // Written by the train step.
  if (trained === undefined) return;
  const { tokenizerDigest: tokenizer = now.tokenizer, encoder = { ...now, tokenizer } } = trained;
  const problems = compareEncoders(encoder, now);
  if (problems.length === 0) return;
  throw new StepFailure(
    'ENCODER_DIFFERS',
    'The model would be asked with other tokens than it was trained with.',
    {
      problems: problems.map((message) => ({ message })),
      help: 'Put tokenizer.json, tokenizer_config.json and chat_template.jinja back as they were, or train again with the new ones (to train this model on with other tokens, remove "joyul" from its config.json).',
    },
  );
}

/** Opens the model folder that a step was given, for tasks that need a decoder; what cannot be used is the step's failure. */
export async function openLanguageModel(dir: string): Promise<LanguageModel> {
  const model = await openStepModel(
    dir,
    'Name a model of the Llama family with whole files and a tokenizer.json, or a GGUF file.',
  );
  if (model.architecture !== 'llama')
    throw new StepFailure(
      'NOT_A_DECODER',
      `The model is an encoder (${model.architecture}), but learning conversations and texts needs a decoder.`,
      {
        help: 'Name a model of the Llama family, such as hf:HuggingFaceTB/SmolLM2-135M-Instruct, or label the texts to classify them.',
      },
    );
  const files = await readTokenizerFiles(dir);
  const tokenizer = await openTokenizer(files);
  try {
    const encoder = makeLanguageEncoder(tokenizer, await openChatTemplate(files), model.config.vocabSize);
    const encoding = recordEncoder(encoder);
    checkEncoding(model, encoding);
    return { model, encoder, encoding };
  } catch (error) {
    if (error instanceof ChatTemplateError)
      throw new StepFailure('CHAT_TEMPLATE', error.message, { help: error.help, cause: error });
    throw error;
  }
}
