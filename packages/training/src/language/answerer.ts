import type { Backend } from '@joyul/plugin-api';
import { answerQuestions } from './answer-rows.ts';
import type { Answer, AnswerOptions, Question } from './answer-rows.ts';
import { ChatEndpoint } from './chat-endpoint.ts';
import { openGenerator } from './generator.ts';
import { openLanguageModel } from './open-language-model.ts';
import { makeAsk, readPrompt } from './prompt.ts';
import type { Endpoint } from './prompt.ts';

/** How a folder answers. */
export interface AnswererOptions {
  /** Tokens of the longest prompt with its answer; the default is 1,024, or what the model can if that is less. */
  readonly context?: number;
  /** Questions that are answered at the same time; the default is 16, and of an endpoint 4. */
  readonly batchSize?: number;
  readonly backend?: Backend;
  /** The step's environment, which holds the keys of endpoints. */
  readonly env?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
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
  const prompt = await readPrompt(dir);
  const inner =
    prompt?.endpoint === undefined
      ? await openFolder(dir, options)
      : openEndpointAnswerer(prompt.endpoint, options);
  if (prompt === undefined) return inner;
  const wrap = makeAsk(prompt, prompt.examples);
  return {
    answer: (questions, settings) => {
      const { ask = ({ messages }) => messages } = settings;
      return inner.answer(questions, {
        ...settings,
        ask: (question) => wrap({ messages: ask(question) }),
      });
    },
    dispose() {
      inner.dispose();
    },
  };
}

async function openFolder(dir: string, options: AnswererOptions): Promise<Answerer> {
  const { context, batchSize = 16, backend } = options;
  const { model, encoder } = await openLanguageModel(dir);
  const generator = await openGenerator({
    model,
    batchSize,
    ...(context === undefined ? {} : { context }),
    ...(backend === undefined ? {} : { backend }),
  });
  return {
    answer: (questions, settings) => answerQuestions(generator, encoder, questions, settings),
    dispose() {
      generator.dispose();
    },
  };
}

/** Opens a model behind an API, to be asked bare questions. */
export function openEndpointAnswerer(
  endpoint: Endpoint,
  { batchSize = 4, env, signal }: AnswererOptions = {},
): Answerer {
  const server = new ChatEndpoint(endpoint, {
    ...(env === undefined ? {} : { env }),
    ...(signal === undefined ? {} : { signal }),
  });
  return {
    async answer(questions, { maxNewTokens, ask = ({ messages }) => messages, onProgress }) {
      const answers: Answer[] = [];
      const waiting = questions.entries();
      let done = 0;
      let isStopped = false;
      // Each takes the next question as soon as it has an answer, so that a slow one holds up no other.
      const work = async (): Promise<void> => {
        for (const [index, question] of waiting) {
          if (isStopped) return;
          answers[index] = { ...question, ...(await server.reply(ask(question), maxNewTokens)) };
          onProgress?.(++done);
        }
      };
      try {
        await Promise.all(Array.from({ length: batchSize }, work));
      } finally {
        isStopped = true;
      }
      return answers;
    },
    // Nothing is held between two questions.
    dispose: () => undefined,
  };
}
