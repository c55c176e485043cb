/** Proof that a model is asked with the tokens that it was trained with. */
import { createHash } from 'node:crypto';
import type { ChatMessage } from '../row.ts';
import { ChatTemplateError } from './chat-template.ts';
import type { LanguageEncoder } from './encode-language.ts';

/** What decides a model's tokens; kept with the model by training, and compared by whoever asks it later. */
export interface EncoderRecord {
  /** Version of the code that encodes; raised when it would give other tokens. */
  readonly code: number;
  /** Digest of the tokenizer's files. */
  readonly tokenizer: string;
  /** Digest of the chat template; absent where the model has none. */
  readonly template?: string;
  /** Tokens of a fixed text, and of a fixed conversation with the labels that it is learned by. */
  readonly golden: readonly number[];
  /** Of all of the above. */
  readonly digest: string;
}

const code = 1;

/** Signs, accents, digits, blanks and other scripts: whatever a change of normalizing or splitting would show in. */
const text = "It's 12,345.60 €  for Zoë's naïve café —\n\n\t한국어, 日本語 and 🙂.";
const conversation: readonly ChatMessage[] = [
  { role: 'user', content: text },
  { role: 'assistant', content: ' Yes, 7 of 10.\n' },
];
const enough = 4096;

const digestOf = (content: string): string => createHash('sha256').update(content).digest('hex');

function encodeGolden(encoder: LanguageEncoder): readonly number[] {
  const plain = encoder.encodeText(text, enough).flatMap(({ ids }) => [...ids]);
  if (encoder.templateSource === undefined) return plain;
  try {
    const { ids, labels } = encoder.encodeConversation(conversation, enough);
    return [...plain, ...ids, ...labels, ...encoder.encodePrompt(conversation.slice(0, 1))];
  } catch (error) {
    if (error instanceof ChatTemplateError) return plain; // A template for other conversations only.
    throw error;
  }
}

/** What decides the tokens that an encoder gives. */
export function recordEncoder(encoder: LanguageEncoder): EncoderRecord {
  const { templateSource, tokenizer } = encoder;
  const content = {
    code,
    tokenizer: tokenizer.digest,
    ...(templateSource === undefined ? {} : { template: digestOf(templateSource) }),
    golden: encodeGolden(encoder),
  };
  return { ...content, digest: digestOf(JSON.stringify(content)) };
}

const shorten = (digest: string | undefined): string => digest?.slice(0, 12) ?? 'none';

/** How two encoders differ, each a sentence; empty where they give the same tokens. */
export function compareEncoders(trained: EncoderRecord, now: EncoderRecord): readonly string[] {
  const problems: string[] = [];
  const compare = (what: string, left: string | undefined, right: string | undefined): void => {
    if (left !== right)
      problems.push(`${what}: trained with ${shorten(left)}, but here is ${shorten(right)} (sha256).`);
  };
  compare('The tokenizer is another', trained.tokenizer, now.tokenizer);
  compare('The chat template is another', trained.template, now.template);
  if (trained.code !== now.code)
    problems.push(`It was trained by version ${trained.code} of the encoder; this is version ${now.code}.`);
  const length = Math.max(trained.golden.length, now.golden.length);
  const at = Array.from({ length }).findIndex((_, index) => trained.golden[index] !== now.golden[index]);
  if (at !== -1)
    problems.push(
      `A fixed text and conversation give other tokens: number ${at + 1} was ${trained.golden[at] ?? 'none'}, and is ${now.golden[at] ?? 'none'}.`,
    );
  return problems;
}
