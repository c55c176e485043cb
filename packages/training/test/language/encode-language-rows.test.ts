import type { LanguageEncoder, Row } from '@joyul/data';
import { describe, expect, test } from 'vitest';
import { encodeLanguageRows } from '../../src/index.ts';

const unused = (): never => {
  throw new Error('Rows of tokens need no template.');
};
const encoder: LanguageEncoder = {
  tokenizer: {
    digest: '',
    padId: 0,
    endId: 2,
    firstIds: [],
    maskId: undefined,
    specialIds: new Set(),
    encode: unused,
    encodePlain: unused,
    countTokens: unused,
    decode: unused,
    decodeAll: (ids) => 'é'.repeat(ids.length),
  },
  endId: 2,
  vocabularySize: 100,
  encodePrompt: unused,
  encodeConversation: unused,
  encodeText: unused,
};
const row = (id: string, ids: readonly number[], labels?: readonly number[]): Row => ({
  id,
  text: ids.join(' '),
  tokens: { ids, ...(labels === undefined ? {} : { labels }) },
});

describe('rows of tokens', () => {
  test('are learned where their labels say so, or whole', () => {
    const rows = [row('a', [5, 6, 7], [-100, 6, 7]), row('b', [8, 9])];
    const { examples, tokens, targets, targetBytes } = encodeLanguageRows(rows, encoder, 16);
    expect(examples.map(({ ids, labels }) => [[...ids], [...labels]])).toEqual([
      [
        [5, 6, 7],
        [-100, 6, 7],
      ],
      [
        [8, 9],
        [8, 9],
      ],
    ]);
    // The first token of a text is never predicted.
    expect([tokens, targets, targetBytes]).toEqual([5, 3, 8]);
  });

  test('are cut after the greatest length, and counted', () => {
    const { examples, truncated } = encodeLanguageRows([row('a', [1, 2, 3, 4]), row('b', [5])], encoder, 3);
    expect([examples.map(({ ids }) => ids.length), truncated]).toEqual([[3, 1], 1]);
  });

  test('that the model does not know are all refused', () => {
    const rows = [row('a', [5, 100]), row('b', [99]), row('c', [4711, 3])];
    expect(() => encodeLanguageRows(rows, encoder, 16)).toThrow(
      expect.objectContaining({
        code: 'TOKENS_UNKNOWN',
        message: '2 of 3 rows of tokens were made for another tokenizer.',
        problems: [
          {
            field: '/input_ids/1',
            message: "Row a: the token 100 at position 1 is none of the model's 100 tokens (0 to 99).",
          },
          {
            field: '/input_ids/0',
            message: "Row c: the token 4711 at position 0 is none of the model's 100 tokens (0 to 99).",
          },
        ],
      }),
    );
  });
});
