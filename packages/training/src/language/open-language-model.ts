import { ChatTemplateError, makeLanguageEncoder, openChatTemplate, openTokenizer } from '@joyul/data';
import type { LanguageEncoder } from '@joyul/data';
import { ModelConfigError, WeightsError, openModel, readTokenizerFiles } from '@joyul/models';
import type { LlamaFolder } from '@joyul/models';
import { StepFailure } from '@joyul/plugin-api';

/** A decoder with what turns conversations and texts into its tokens. */
export interface LanguageModel {
  readonly model: LlamaFolder;
  readonly encoder: LanguageEncoder;
}

/** Opens the model folder that a step was given, for tasks that need a decoder; what cannot be used is the step's failure. */
export async function openLanguageModel(dir: string): Promise<LanguageModel> {
  const help = 'Name a model of the Llama family with whole files and a tokenizer.json, or a GGUF file.';
  try {
    const model = await openModel(dir);
    if (model.architecture !== 'llama')
      throw new StepFailure(
        'NOT_A_DECODER',
        `The model is an encoder (${model.architecture}), but learning conversations and texts needs a decoder.`,
        {
          help: 'Name a model of the Llama family, such as hf:HuggingFaceTB/SmolLM2-135M-Instruct, or label the texts to classify them.',
        },
      );
    const files = await readTokenizerFiles(dir);
    const encoder = makeLanguageEncoder(await openTokenizer(files), await openChatTemplate(files));
    return { model, encoder };
  } catch (error) {
    if (error instanceof ModelConfigError || error instanceof WeightsError)
      throw new StepFailure('MODEL', error.message, { help, cause: error });
    if (error instanceof ChatTemplateError)
      throw new StepFailure('CHAT_TEMPLATE', error.message, { help: error.help, cause: error });
    throw error;
  }
}
