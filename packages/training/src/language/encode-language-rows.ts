import { ChatTemplateError } from '@joyul/data';
import type { EncodedLanguage, LanguageEncoder, Row } from '@joyul/data';
import { StepFailure } from '@joyul/plugin-api';
import { countTargets } from './language-batch.ts';
import type { LanguageExample } from './language-batch.ts';

/** Rows as a language model learns them. */
export interface LanguageRows {
  readonly examples: readonly LanguageExample[];
  /** Conversations of which the end was cut off; texts are divided instead. */
  readonly truncated: number;
  /** Tokens in all, and those that are learned. */
  readonly tokens: number;
  readonly targets: number;
  /** Bytes of UTF-8 that are learned, whatever tokenizer divides them. */
  readonly targetBytes: number;
}

const bytesOf = ({ text, messages }: Row): number =>
  messages === undefined
    ? Buffer.byteLength(text)
    : messages
        .filter(({ role, weight }) => role === 'assistant' && weight !== 0)
        .reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);

/**
 * Encodes conversations, of which the assistant's turns are learned, and texts, which are learned whole, in pieces of at
 * most `maxLength` tokens. Conversations that cannot be encoded are all told at once, and rows of which nothing would be
 * learned are refused.
 */
export function encodeLanguageRows(
  rows: readonly Row[],
  encoder: LanguageEncoder,
  maxLength: number,
): LanguageRows {
  const problems: { readonly message: string; readonly row: string }[] = [];
  let help = '';
  const encode = (row: Row): readonly EncodedLanguage[] => {
    if (row.messages === undefined) return encoder.encodeText(row.text, maxLength);
    try {
      return [encoder.encodeConversation(row.messages, maxLength)];
    } catch (error) {
      if (!(error instanceof ChatTemplateError)) throw error;
      problems.push({ row: row.id, message: error.message });
      help = error.help;
      return [];
    }
  };
  const examples = rows.flatMap(encode);
  if (problems.length > 0)
    throw new StepFailure(
      'CHAT_TEMPLATE',
      `${problems.length} of ${rows.length} conversations do not fit the model's chat template.`,
      { problems: problems.map(({ row, message }) => ({ message: `Row ${row}: ${message}` })), help },
    );
  const targets = examples.reduce((sum, example) => sum + countTargets(example), 0);
  if (rows.length > 0 && targets === 0)
    throw new StepFailure(
      'NOTHING_TO_LEARN',
      `None of ${rows.length} rows has a token to learn among its first ${maxLength}.`,
      {
        help: 'Raise max_length, or look at the chat template of the model: what it writes of a conversation has to hold what the assistant says.',
      },
    );
  return {
    examples,
    truncated: examples.filter(({ ids, fullLength }) => fullLength > ids.length).length,
    tokens: examples.reduce((sum, { ids }) => sum + ids.length, 0),
    targets,
    targetBytes: rows.reduce((sum, row) => sum + bytesOf(row), 0),
  };
}
