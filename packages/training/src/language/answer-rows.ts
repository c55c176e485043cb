import type { ChatMessage, LanguageEncoder, Row } from '@joyul/data';
import type { Sampling } from './choose-token.ts';
import type { Generation, Generator } from './generator.ts';

/** A row's question and what is expected for it: the last turn of the assistant and all before it. */
export interface Question {
  readonly row: Row;
  readonly messages: readonly ChatMessage[];
  readonly expected: string;
}

/** What a model answered. */
export interface Answer extends Question {
  readonly text: string;
  readonly promptTokens: number;
  readonly newTokens: number;
  readonly ending: Generation['ending'];
}

/** How rows are answered. */
export interface AnswerOptions {
  readonly maxNewTokens: number;
  /** Turns a question into what the model is asked; the default is the question itself. */
  readonly ask?: (question: Question) => readonly ChatMessage[];
  /** How tokens are drawn; the default takes the likeliest. */
  readonly sampling?: Sampling;
  readonly onProgress?: (done: number) => void;
}

/** The questions among rows: conversations that end with the assistant. */
export function questionsOf(rows: readonly Row[]): readonly Question[] {
  return rows.flatMap((row) => {
    const { messages = [] } = row;
    const at = messages.findLastIndex(({ role }) => role === 'assistant');
    const last = messages[at];
    return at < 1 || last === undefined
      ? []
      : [{ row, messages: messages.slice(0, at), expected: last.content }];
  });
}

/** Questions that are answered between two words on how far it is. */
const atOnce = 64;

/**
 * Answers questions, greedily where nothing else is said. Prompts that leave no room for an answer lose their
 * beginning: what is asked stands at
 * the end.
 */
export async function answerQuestions(
  generator: Pick<Generator, 'context' | 'generate'>,
  encoder: LanguageEncoder,
  questions: readonly Question[],
  { maxNewTokens, ask = ({ messages }) => messages, sampling = {}, onProgress }: AnswerOptions,
): Promise<readonly Answer[]> {
  const room = Math.max(1, generator.context - maxNewTokens);
  const answers: Answer[] = [];
  for (let from = 0; from < questions.length; from += atOnce) {
    const part = questions.slice(from, from + atOnce);
    const prompts = part.map((question) =>
      encoder.encodePrompt(ask(question), question.row.tools).slice(-room),
    );
    const generations = await generator.generate(prompts, {
      ...sampling,
      seed: (sampling.seed ?? 0) + from,
      maxNewTokens,
      stopIds: [encoder.endId],
    });
    for (const [index, question] of part.entries()) {
      const { ids = [], ending = 'length' } = generations[index] ?? {};
      answers.push({
        ...question,
        text: encoder.tokenizer.decode(ids).trim(),
        promptTokens: prompts[index]?.length ?? 0,
        newTokens: ids.length,
        ending,
      });
    }
    onProgress?.(answers.length);
  }
  return answers;
}
