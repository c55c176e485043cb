import { createHash } from 'node:crypto';
import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { StepFailure } from '@joyul/plugin-api';
import type { ChatMessage } from '@joyul/data';
import type { Answer, AnswerOptions, Question } from './answer-rows.ts';
import type { Answerer } from './answerer.ts';

/** What keeps answers, and what decides them besides the question. */
export interface AnswerCacheOptions {
  /** Lines of JSON; made where it is missing. */
  readonly file: string;
  /** Names the model and all settings that answers depend on. */
  readonly identity: string;
  /** When it is aborted, what was answered is kept and the step ends as one with a checkpoint. */
  readonly signal?: AbortSignal;
}

/** What a model said, without the question. */
type Said = Pick<Answer, 'text' | 'promptTokens' | 'newTokens' | 'ending'>;

/** Answers between two writes: as many are lost at most when the process is killed. */
const atOnce = 32;

const digestOf = (identity: string, messages: readonly ChatMessage[], maxNewTokens: number): string =>
  createHash('sha256')
    .update(JSON.stringify([identity, messages.map(({ role, content }) => [role, content]), maxNewTokens]))
    .digest('hex');

/** A line of the file; one that a killed process left unfinished says nothing. */
function parseLine(line: string): readonly (readonly [string, Said])[] {
  try {
    return [JSON.parse(line) as [string, Said]]; // Written below.
  } catch {
    return [];
  }
}

async function readSaid(file: string): Promise<Map<string, Said>> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return new Map(text.split('\n').flatMap((line) => parseLine(line)));
}

/** Keeps every answer in a file, so that a question which was answered before is not asked again. */
export async function keepAnswers(
  answerer: Answerer,
  { file, identity, signal }: AnswerCacheOptions,
): Promise<Answerer> {
  await mkdir(dirname(file), { recursive: true });
  const known = await readSaid(file);
  // A line that was broken off must not swallow the next one.
  await appendFile(file, '\n');

  const askFor = async (
    part: readonly {
      readonly question: Question;
      readonly messages: readonly ChatMessage[];
      readonly key: string;
    }[],
    maxNewTokens: number,
  ): Promise<void> => {
    const asked = new Map(part.map((item) => [item.question, item.messages]));
    const answers = await answerer.answer(
      part.map(({ question }) => question),
      { maxNewTokens, ask: (question) => asked.get(question) ?? question.messages },
    );
    const lines = part.flatMap(({ key }, index) => {
      const answer = answers[index];
      if (answer === undefined) return [];
      const { text, promptTokens, newTokens, ending } = answer;
      const said = { text, promptTokens, newTokens, ending };
      known.set(key, said);
      return [`${JSON.stringify([key, said])}\n`];
    });
    await appendFile(file, lines.join(''));
  };

  return {
    async answer(questions, { maxNewTokens, ask = ({ messages }) => messages, onProgress }: AnswerOptions) {
      const items = questions.map((question) => {
        const messages = ask(question);
        return { question, messages, key: digestOf(identity, messages, maxNewTokens) };
      });
      const missing = items.filter(({ key }) => !known.has(key));
      let done = items.length - missing.length;
      if (done > 0) onProgress?.(done);
      for (let from = 0; from < missing.length; from += atOnce) {
        if (signal?.aborted === true)
          throw new StepFailure('CHECKPOINTED', `Asking stopped after ${known.size} answers.`);
        const part = missing.slice(from, from + atOnce);
        await askFor(part, maxNewTokens);
        done += part.length;
        onProgress?.(done);
      }
      return items.map(({ question, key }): Answer => {
        const said = known.get(key);
        if (said === undefined) throw new Error('Internal error: a question has no answer.');
        return { ...question, ...said };
      });
    },
    dispose() {
      answerer.dispose();
    },
  };
}
