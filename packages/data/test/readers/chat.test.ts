import { expect, test } from 'vitest';
import { detectShape, formatConversation, readConversation } from '../../src/index.ts';
import type { RowShape } from '../../src/index.ts';

const read = (row: object, shape: RowShape): ReturnType<typeof readConversation> =>
  readConversation(new Map(Object.entries(row)), shape);

const hello = [
  { role: 'user', content: 'Hi' },
  { role: 'assistant', content: 'Hello' },
];

test.each([
  [['messages'], 'openai'],
  [['conversations', 'system'], 'sharegpt'],
  [['instruction', 'input', 'output'], 'alpaca'],
  [['prompt', 'completion'], 'prompt-completion'],
] as const)('fields %j are %s', (names, shape) => {
  expect(detectShape(names, { hasText: false, hasLabel: false })).toBe(shape);
});

test('shapes that nothing trains on are named', () => {
  expect(detectShape(['prompt', 'chosen', 'rejected'], { hasText: false, hasLabel: false })).toEqual({
    reason: 'This is a preference pair (chosen, rejected), which no step here trains on.',
  });
});

test.each<[RowShape, object]>([
  ['openai', { messages: hello }],
  ['openai', { messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }, hello[1]] }],
  [
    'sharegpt',
    {
      conversations: [
        { from: 'human', value: 'Hi' },
        { from: 'gpt', value: 'Hello' },
      ],
    },
  ],
  ['alpaca', { instruction: 'Hi', input: '', output: 'Hello' }],
  ['prompt-completion', { prompt: 'Hi', completion: 'Hello' }],
  ['prompt-completion', { prompt: [hello[0]], completion: [hello[1]] }],
])('a row in the shape of %s becomes a conversation', (shape, row) => {
  expect(read(row, shape)).toEqual({ messages: hello });
});

test('instructions, input and history of Alpaca keep their order', () => {
  const row = { system: 'Be kind.', history: [['a', 'b']], instruction: 'Sum', input: '1 2', output: '3' };
  const { messages = [] } = read(row, 'alpaca');
  expect(formatConversation(messages)).toBe(
    'system: Be kind.\nuser: a\nassistant: b\nuser: Sum\n1 2\nassistant: 3',
  );
});

test('a tool call without words is kept, and a weight of 0 too', () => {
  const call = { id: '1', type: 'function', function: { name: 'f', arguments: '{}' } };
  const messages = [
    hello[0],
    { role: 'assistant', content: null, tool_calls: [call] },
    { role: 'tool', content: '3', tool_call_id: '1' },
    { role: 'assistant', content: 'ok', weight: 0 },
  ];
  expect(read({ messages }, 'openai').messages?.map((message) => [message.role, message.weight])).toEqual([
    ['user', undefined],
    ['assistant', undefined],
    ['tool', undefined],
    ['assistant', 0],
  ]);
});

test.each([
  ['hello', ': expected a list of messages, but is "hello".'],
  [[], ': the conversation is empty.'],
  [
    [{ role: 'bot', content: 'x' }],
    '/0/role: expected one of system, developer, user, human, assistant, gpt, model, tool, observation, function_call, but is "bot".',
  ],
  [[hello[0], { role: 'assistant', content: null }], '/1/content: expected a string, but is null.'],
  [
    [hello[0], { role: 'assistant', content: ' ' }],
    '/1/content: the assistant says nothing: there is nothing to learn.',
  ],
  [[hello[0]], "/0/role: the last message must be the assistant's, but is the user's."],
  [[hello[0], hello[0], hello[1]], '/1/role: two user messages follow each other.'],
  [[...hello, { role: 'system', content: 'x' }, hello[1]], '/2/role: a system message must come first.'],
  [[hello[0], { ...hello[1], weight: 2 }], '/1/weight: expected 0 or 1, but is 2.'],
  [[hello[0], { ...hello[1], weight: 0 }], ': no assistant message counts in the loss.'],
  [
    [hello[0], { role: 'assistant', content: [{ type: 'image_url' }] }],
    '/1/content/0: expected a part with type "text", but is {"type":"image_url"}.',
  ],
])('messages %j are refused with a pointer', (messages, expected) => {
  const [problem] = read({ messages }, 'openai').problems ?? [];
  expect(`${problem?.field ?? ''}: ${problem?.message ?? ''}`).toBe(`/messages${expected}`);
});
