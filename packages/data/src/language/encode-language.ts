import type { ChatMessage, JsonObject } from '../row.ts';
import type { Tokenizer } from '../tokenizer.ts';
import { ChatTemplateError } from './chat-template.ts';
import type { ChatTemplate } from './chat-template.ts';

/** A text as a language model learns it. */
export interface EncodedLanguage {
  readonly ids: Int32Array;
  /** For each token of `ids` itself where it is learned, and −100 where it is only read. */
  readonly labels: Int32Array;
  /** Tokens before the text was cut. */
  readonly fullLength: number;
}

/** Reads conversations and texts as one model does: for training, evaluation, export and serving alike. */
export interface LanguageEncoder {
  readonly tokenizer: Tokenizer;
  /** Ends a reply. */
  readonly endId: number;
  /** How many tokens the model knows; absent where it is not known. */
  readonly vocabularySize?: number;
  /** The tokens of a conversation, in which `tools` may be called, up to where the assistant's next words begin. */
  encodePrompt(messages: readonly ChatMessage[], tools?: readonly JsonObject[]): Int32Array;
  /**
   * A conversation of which the assistant's turns are learned, with the token that ends each; turns of weight 0 are
   * not. Cut after `maxLength` tokens.
   *
   * @throws ChatTemplateError where the template does not tell which tokens are the assistant's.
   */
  encodeConversation(
    messages: readonly ChatMessage[],
    maxLength: number,
    tools?: readonly JsonObject[],
  ): EncodedLanguage;
  /** A text of which every token is learned, and the end, in pieces of at most `maxLength` tokens. */
  encodeText(text: string, maxLength: number): readonly EncodedLanguage[];
}

/** The label of a token that is not learned, as in PyTorch. */
export const ignoredLabel = -100;

/** Which part of a conversation's text a turn is, and whether it is learned. */
interface Segment {
  readonly text: string;
  readonly isLearned: boolean;
}

/**
 * Divides a conversation into what is read and what is learned, by prefix difference: an assistant's turn is what
 * the template adds when it is said, after what stands there when it is asked for. Needs no mark in the template.
 */
function divide(
  template: ChatTemplate,
  messages: readonly ChatMessage[],
  tools: readonly JsonObject[] | undefined,
): readonly Segment[] {
  const segments: Segment[] = [];
  const whole = template.render(messages, { tools });
  let done = 0;
  for (const [index, { role, weight }] of messages.entries()) {
    if (role !== 'assistant') continue;
    const asked = template.render(messages.slice(0, index), { asksForReply: true, tools });
    const said = template.render(messages.slice(0, index + 1), { tools });
    if (!said.startsWith(asked) || !whole.startsWith(said) || asked.length < done)
      throw new ChatTemplateError(
        `The chat template writes earlier turns in another way once turn ${index + 1} of ${messages.length} is there, so it cannot be told which tokens the assistant says.`,
        'Train on conversations with a single reply (the last turn), or use a template that only appends.',
      );
    segments.push({ text: whole.slice(done, asked.length), isLearned: false });
    segments.push({ text: whole.slice(asked.length, said.length), isLearned: weight !== 0 });
    done = said.length;
  }
  return [...segments, { text: whole.slice(done), isLearned: false }].filter(({ text }) => text !== '');
}

/** Learned up to the token that ends the reply: what the template writes behind it is never generated. */
function labelsOf(ids: readonly number[], isLearned: boolean, endId: number): readonly number[] {
  if (!isLearned) return ids.map(() => ignoredLabel);
  const end = ids.lastIndexOf(endId);
  return ids.map((id, at) => (end !== -1 && at > end ? ignoredLabel : id));
}

/** Makes an encoder of a model's tokenizer and chat template; a model without one reads plain texts only. */
export function makeLanguageEncoder(
  tokenizer: Tokenizer,
  given: ChatTemplate | undefined,
  vocabularySize?: number,
): LanguageEncoder {
  const { endId } = tokenizer;
  const findTemplate = (): ChatTemplate => {
    if (given !== undefined) return given;
    throw new ChatTemplateError(
      'The model has no chat template, so it cannot be told how it sees a conversation.',
      'Take an instruction-tuned model, or put the template that you want into chat_template.jinja beside its tokenizer.json.',
    );
  };
  if (endId === undefined)
    throw new ChatTemplateError(
      'The tokenizer names no token that ends a text (eos_token), so a model could not learn to stop.',
      'Set eos_token in tokenizer_config.json.',
    );
  return {
    tokenizer,
    endId,
    ...(vocabularySize === undefined ? {} : { vocabularySize }),
    encodePrompt: (messages, tools) =>
      Int32Array.from(tokenizer.encodePlain(findTemplate().render(messages, { asksForReply: true, tools }))),
    encodeConversation(messages, maxLength, tools) {
      const ids: number[] = [];
      const labels: number[] = [];
      // Each part by itself, as a prompt is when the model answers it: no token reaches over the border.
      for (const { text, isLearned } of divide(findTemplate(), messages, tools)) {
        const own = tokenizer.encodePlain(text);
        ids.push(...own);
        labels.push(...labelsOf(own, isLearned, endId));
      }
      return {
        ids: Int32Array.from(ids.slice(0, maxLength)),
        labels: Int32Array.from(labels.slice(0, maxLength)),
        fullLength: ids.length,
      };
    },
    encodeText(text, maxLength) {
      const ids = [...tokenizer.firstIds, ...tokenizer.encodePlain(text), endId];
      const pieces: EncodedLanguage[] = [];
      for (let from = 0; from < ids.length; from += maxLength) {
        const own = Int32Array.from(ids.slice(from, from + maxLength));
        pieces.push({ ids: own, labels: own, fullLength: own.length });
      }
      return pieces;
    },
  };
}
