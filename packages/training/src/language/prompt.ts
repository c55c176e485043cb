/** What a model is asked: an instruction and similar examples around a question, and the file that keeps them. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChatMessage, Row } from '@joyul/data';
import { SimilarTexts } from '@joyul/metrics';
import { questionsOf } from './answer-rows.ts';
import type { Question } from './answer-rows.ts';

/** A question with its answer, to be shown before another question. */
export type PromptExample = Pick<Question, 'messages' | 'expected'>;

/** A server that answers in the place of a model on this machine. */
export interface Endpoint {
  /** Of its OpenAI-compatible API, such as `https://api.openai.com/v1`. */
  readonly url: string;
  /** The model's name there. */
  readonly model: string;
  /** The environment variable of a step that holds the key; the key itself is never written. */
  readonly keyVariable?: string;
}

/** How a question is put to a model. */
export interface PromptSettings {
  /** What the system says; empty leaves what the conversation itself says. */
  readonly instruction: string;
  /** Similar examples before the question. */
  readonly shots: number;
}

/** `prompt.json` of a trained model: how it is asked. */
export interface Prompt extends PromptSettings {
  readonly version: 1;
  /** What similar examples are chosen from; absent where none are shown. */
  readonly examples?: readonly PromptExample[];
  /** Where the model is not in the folder: who answers. */
  readonly endpoint?: Endpoint;
}

/** Turns a conversation into what a model is asked. */
export type Ask = (question: Pick<Question, 'messages'>) => readonly ChatMessage[];

const isSystem = ({ role }: ChatMessage): boolean => role === 'system';
const isTurn = (message: ChatMessage): boolean => !isSystem(message);
const lastOf = (messages: readonly ChatMessage[]): string => messages.at(-1)?.content ?? '';

/** With an instruction in the place of what the system says, where there is one. */
const instruct = (messages: readonly ChatMessage[], instruction: string): readonly ChatMessage[] =>
  instruction === '' ? messages : [{ role: 'system', content: instruction }, ...messages.filter(isTurn)];

/**
 * Shows the most similar examples before the question, the most similar next to it, where models heed it most, under an
 * instruction.
 */
export function makeAsk(
  { instruction, shots }: PromptSettings,
  examples: readonly PromptExample[] = [],
): Ask {
  if (shots === 0) return ({ messages }) => instruct(messages, instruction);
  const similar = new SimilarTexts(examples.map(({ messages }) => lastOf(messages)));
  return ({ messages }) => {
    const shown = similar.find(lastOf(messages), shots).flatMap((index): readonly ChatMessage[] => {
      const example = examples[index];
      if (example === undefined) return [];
      return [...example.messages.filter(isTurn), { role: 'assistant', content: example.expected }];
    });
    return instruct([...messages.filter(isSystem), ...shown, ...messages.filter(isTurn)], instruction);
  };
}

/** Rows as they are asked by a prompt; only the answer to their last question counts as said. */
export function promptRows(rows: readonly Row[], prompt: Prompt): readonly Row[] {
  const ask = makeAsk(prompt, prompt.examples);
  return questionsOf(rows).map(({ row, messages, expected }): Row => {
    const read = ask({ messages }).map((message): ChatMessage => ({ ...message, weight: 0 }));
    return { ...row, messages: [...read, { role: 'assistant', content: expected }] };
  });
}

const promptFile = 'prompt.json';

/** Reads how a trained model is asked; undefined where it is asked the bare question. */
export async function readPrompt(dir: string): Promise<Prompt | undefined> {
  const text = await readFile(join(dir, promptFile), 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as Prompt); // Written by the function below.
}

/** Writes how a trained model is asked. */
export async function writePrompt(dir: string, prompt: Prompt): Promise<void> {
  await writeFile(join(dir, promptFile), `${JSON.stringify(prompt, null, 2)}\n`);
}
