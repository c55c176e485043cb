import type { Backend } from '@joyul/plugin-api';
import { answerQuestions } from './answer-rows.ts';
import type { Answer, AnswerOptions, Question } from './answer-rows.ts';
import { openGenerator } from './generator.ts';
import { openLanguageModel } from './open-language-model.ts';
import { makeAsk, readPrompt } from './prompt.ts';

/** How a folder answers. */
export interface AnswererOptions {
  /** Tokens of the longest prompt with its answer; the default is 1,024, or what the model can if that is less. */
  readonly context?: number;
  /** Questions that are answered at the same time; the default is 16. */
  readonly batchSize?: number;
  readonly backend?: Backend;
}

/** Whatever answers questions: a trained model, with the prompt that it is asked by. */
export interface Answerer {
  /**
   * Answers greedily. `ask` changes what is asked before the folder's own prompt is put around it; prompts that leave no
   * room for an answer lose their beginning.
   */
  answer(questions: readonly Question[], options: AnswerOptions): Promise<readonly Answer[]>;
  dispose(): void;
}

/** Opens what answers in a `trained-model` or `base-model` folder, with its prompt where it has one. */
export async function openAnswerer(dir: string, options: AnswererOptions = {}): Promise<Answerer> {
  const { context, batchSize = 16, backend } = options;
  const prompt = await readPrompt(dir);
  const wrap = prompt === undefined ? undefined : makeAsk(prompt, prompt.examples);
  const { model, encoder } = await openLanguageModel(dir);
  const generator = await openGenerator({
    model,
    batchSize,
    ...(context === undefined ? {} : { context }),
    ...(backend === undefined ? {} : { backend }),
  });
  return {
    answer: (questions, settings) => {
      const { ask = ({ messages }) => messages } = settings;
      return answerQuestions(generator, encoder, questions, {
        ...settings,
        ask: (question) => (wrap === undefined ? ask(question) : wrap({ messages: ask(question) })),
      });
    },
    dispose() {
      generator.dispose();
    },
  };
}
