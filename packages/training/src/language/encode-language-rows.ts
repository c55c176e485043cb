import { ChatTemplateError, ignoredLabel } from '@joyul/data';
import type { EncodedLanguage, LanguageEncoder, Row, TokenRow } from '@joyul/data';
import { StepFailure } from '@joyul/plugin-api';
import { countTargets } from './language-batch.ts';
import type { LanguageExample } from './language-batch.ts';

/** Rows as a language model learns them. */
export interface LanguageRows {
  readonly examples: readonly LanguageExample[];
  /** Of each example, the index of its row: a text may be divided into several. */
  readonly rowOf: readonly number[];
  /** Conversations and rows of tokens of which the end was cut off; texts are divided instead. */
  readonly truncated: number;
  /** Tokens in all, and those that are learned. */
  readonly tokens: number;
  readonly targets: number;
  /** Bytes of UTF-8 that are learned, whatever tokenizer divides them. */
  readonly targetBytes: number;
}

const learnedIds = ({ ids, labels }: TokenRow): readonly number[] =>
  labels === undefined ? ids : ids.filter((_, at) => labels[at] !== ignoredLabel);

const bytesOf = ({ text, messages, tokens }: Row, { tokenizer }: LanguageEncoder): number => {
  if (tokens !== undefined) return Buffer.byteLength(tokenizer.decodeAll(learnedIds(tokens)));
  if (messages === undefined) return Buffer.byteLength(text);
  return messages
    .filter(({ role, weight }) => role === 'assistant' && weight !== 0)
    .reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);
};

/** Tokens as they are given, cut after `maxLength`. */
function encodeTokens({ ids, labels = ids }: TokenRow, maxLength: number): EncodedLanguage {
  return {
    ids: Int32Array.from(ids.slice(0, maxLength)),
    labels: Int32Array.from(labels.slice(0, maxLength)),
    fullLength: ids.length,
  };
}

/** Refuses tokens that the model does not know: they were made for another one. */
function checkTokens(rows: readonly Row[], { vocabularySize = Infinity }: LanguageEncoder): void {
  const problems = rows.flatMap(({ id, tokens }) => {
    const at = tokens?.ids.findIndex((token) => token >= vocabularySize) ?? -1;
    if (at === -1) return [];
    const message = `Row ${id}: the token ${tokens?.ids[at] ?? ''} at position ${at} is none of the model's ${vocabularySize} tokens (0 to ${vocabularySize - 1}).`;
    return [{ field: `/input_ids/${at}`, message }];
  });
  if (problems.length === 0) return;
  throw new StepFailure(
    'TOKENS_UNKNOWN',
    `${problems.length} of ${rows.length} rows of tokens were made for another tokenizer.`,
    {
      problems: problems.slice(0, 200),
      help: "Tokenize the texts with this model's tokenizer, or give the texts themselves: they are tokenized here.",
    },
  );
}

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
  checkTokens(rows, encoder);
  const problems: { readonly message: string; readonly row: string }[] = [];
  let help = '';
  const encode = (row: Row): readonly EncodedLanguage[] => {
    if (row.tokens !== undefined) return [encodeTokens(row.tokens, maxLength)];
    if (row.messages === undefined) return encoder.encodeText(row.text, maxLength);
    try {
      return [encoder.encodeConversation(row.messages, maxLength, row.tools)];
    } catch (error) {
      if (!(error instanceof ChatTemplateError)) throw error;
      problems.push({ row: row.id, message: error.message });
      help = error.help;
      return [];
    }
  };
  const pieces = rows.map(encode);
  const examples = pieces.flat();
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
    rowOf: pieces.flatMap((own, row) => own.map(() => row)),
    truncated: examples.filter(({ ids, fullLength }) => fullLength > ids.length).length,
    tokens: examples.reduce((sum, { ids }) => sum + ids.length, 0),
    targets,
    targetBytes: rows.reduce((sum, row) => sum + bytesOf(row, encoder), 0),
  };
}
