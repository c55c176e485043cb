import { describe, expect, test } from 'vitest';
import { ChatTemplateError, makeLanguageEncoder, openChatTemplate } from '../../src/index.ts';
import type { ChatMessage, LanguageEncoder, Tokenizer } from '../../src/index.ts';

const chatml =
  "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

/** Marks are tokens of their own, and so is each other character. */
const tokensOf = (text: string): readonly string[] => text.match(/<\|\w+\|>|[^]/g) ?? [];

/** Each token is the number of its first character, and the marks are 1 and 2. */
const marks: Readonly<Record<string, number>> = { '<|im_start|>': 1, '<|im_end|>': 2 };
const tokenizer: Tokenizer = {
  digest: '',
  padId: 0,
  endId: 2,
  maskId: undefined,
  specialIds: new Set(),
  firstIds: [7],
  encode: () => ({ ids: new Int32Array(), fullLength: 0, isTruncated: false }),
  encodePlain: (text) => tokensOf(text).map((token) => marks[token] ?? token.charCodeAt(0)),
  countTokens: (text) => tokensOf(text).length,
  decode: () => '',
  decodeAll: () => '',
};

const open = async (template = chatml): Promise<LanguageEncoder> =>
  makeLanguageEncoder(tokenizer, await openChatTemplate(new Map([['chat_template.jinja', template]])));

const turns = (...contents: readonly string[]): readonly ChatMessage[] =>
  contents.map((content, index) => ({ role: index % 2 === 0 ? 'user' : 'assistant', content }));

/** The learned tokens as text, the end as a full stop. */
const learned = (labels: Int32Array): string =>
  [...labels].map((id) => (id === -100 ? '_' : id === 2 ? '.' : String.fromCharCode(id))).join('').replace(/_+/g, '_'); // prettier-ignore

describe('a conversation', () => {
  test('is learned where the assistant speaks, with the token that ends each turn and nothing after it', async () => {
    const encoder = await open();
    const { ids, labels, fullLength } = encoder.encodeConversation(turns('ab', 'cd', 'ef', 'gh'), 500);
    expect(learned(labels)).toBe('_cd._gh._');
    expect(fullLength).toBe(ids.length);
    ids.forEach((id, at) => {
      expect([id, -100]).toContain(labels[at]);
    });
  });

  test('keeps turns of weight 0 out', async () => {
    const [question, first, again, second] = turns('ab', 'cd', 'ef', 'gh') as [
      ChatMessage,
      ChatMessage,
      ChatMessage,
      ChatMessage,
    ];
    const encoder = await open();
    const { labels } = encoder.encodeConversation([question, { ...first, weight: 0 }, again, second], 500);
    expect(learned(labels)).toBe('_gh._');
  });

  test('begins as the prompt that asks for its reply', async () => {
    const encoder = await open();
    const prompt = encoder.encodePrompt(turns('ab'));
    const { ids, labels } = encoder.encodeConversation(turns('ab', 'cd'), 500);
    expect(ids.subarray(0, prompt.length)).toEqual(prompt);
    expect(labels.findIndex((label) => label !== -100)).toBe(prompt.length);
  });

  test('is cut, and says how long it was', async () => {
    const { ids, labels, fullLength } = (await open()).encodeConversation(turns('ab', 'cd'), 9);
    expect([ids.length, labels.length]).toEqual([9, 9]);
    expect(fullLength).toBeGreaterThan(9);
  });

  test('whose earlier turns the template rewrites is refused', async () => {
    const encoder = await open(
      "{% for message in messages %}{% if loop.last %}!{% endif %}{{ message['content'] }}{% endfor %}",
    );
    expect(() => encoder.encodeConversation(turns('ab', 'cd'), 500)).toThrow(
      'The chat template writes earlier turns in another way once turn 2 of 2 is there, so it cannot be told which tokens the assistant says.',
    );
  });

  test('is refused by a model without a chat template', () => {
    const encoder = makeLanguageEncoder(tokenizer, undefined);
    expect(() => encoder.encodePrompt(turns('ab'))).toThrow(ChatTemplateError);
  });
});

test('a text is learned whole, with the first tokens of the model and an end, in pieces', async () => {
  const pieces = (await open()).encodeText('abcde', 3);
  expect(pieces.map(({ ids }) => [...ids])).toEqual([[7, 97, 98], [99, 100, 101], [2]]);
  expect(pieces.map(({ labels }) => labels)).toEqual(pieces.map(({ ids }) => ids));
});

describe('a chat template', () => {
  test.each<[name: string, config: unknown]>([
    ['in tokenizer_config.json', { chat_template: chatml }],
    [
      'of several, the one that is called default',
      {
        chat_template: [
          { name: 'tools', template: '?' },
          { name: 'default', template: chatml },
        ],
      },
    ],
  ])('is found %s', async (_, config) => {
    const template = await openChatTemplate(new Map([['tokenizer_config.json', JSON.stringify(config)]]));
    expect(template?.render(turns('ab'), { asksForReply: true })).toBe(
      '<|im_start|>user\nab<|im_end|>\n<|im_start|>assistant\n',
    );
  });

  test('that refuses a conversation says which', async () => {
    const template = await openChatTemplate(
      new Map([['chat_template.jinja', "{{ raise_exception('roles must alternate') }}"]]),
    );
    expect(() => template?.render(turns('ab'))).toThrow(
      /^The chat template refuses a conversation of user: .*roles must alternate/,
    );
  });

  test('that cannot be read is told', async () => {
    await expect(openChatTemplate(new Map([['chat_template.jinja', '{% if %}']]))).rejects.toThrow(
      'The chat template cannot be read',
    );
  });
});
