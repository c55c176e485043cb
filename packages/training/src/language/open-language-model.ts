import { ChatTemplateError, makeLanguageEncoder, openChatTemplate, openTokenizer } from '@joyul/data';
import type { LanguageEncoder } from '@joyul/data';
import { readTokenizerFiles } from '@joyul/models';
import type { LlamaFolder } from '@joyul/models';
import { StepFailure } from '@joyul/plugin-api';
import { openStepModel } from '../open-step-model.ts';

/** A decoder with what turns conversations and texts into its tokens. */
export interface LanguageModel {
  readonly model: LlamaFolder;
  readonly encoder: LanguageEncoder;
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
    const template = await openChatTemplate(files);
    return { model, encoder: makeLanguageEncoder(tokenizer, template, model.config.vocabSize) };
  } catch (error) {
    if (error instanceof ChatTemplateError)
      throw new StepFailure('CHAT_TEMPLATE', error.message, { help: error.help, cause: error });
    throw error;
  }
}
