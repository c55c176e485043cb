import { expect, test } from 'vitest';
import { readConversation } from '../../src/index.ts';

const weather = { name: 'get_weather', parameters: { type: 'object', properties: {} } };
const messages = [
  { role: 'user', content: 'Rain?' },
  {
    role: 'assistant',
    content: null,
    tool_calls: [
      { id: '1', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Bonn"}' } },
    ],
  },
  { role: 'tool', tool_call_id: '1', content: 'yes' },
  { role: 'assistant', content: 'Yes.' },
];
const read = (row: object): ReturnType<typeof readConversation> =>
  readConversation(new Map(Object.entries(row)), 'openai');

test('tools are kept, in a list or as JSON, with bare functions in the form that templates know', () => {
  const expected = [{ type: 'function', function: weather }];
  expect(read({ messages, tools: expected }).messages).toBeDefined();
  for (const tools of [expected, [weather], JSON.stringify([weather]), [JSON.stringify(weather)]])
    expect(read({ messages, tools })).toMatchObject({ tools: expected });
  for (const tools of [null, '', []]) expect(read({ messages, tools })).not.toHaveProperty('tools');
});

test('the arguments of a call become an object, and the call is what a turn without words says', () => {
  const call = { id: '1', type: 'function', function: { name: 'get_weather', arguments: { city: 'Bonn' } } };
  expect(read({ messages }).messages?.slice(1, 3)).toEqual([
    { role: 'assistant', content: JSON.stringify([call]), tool_calls: [call] },
    { role: 'tool', content: 'yes', tool_call_id: '1' },
  ]);
});

test.each([
  [{ messages, tools: 'none' }, '/tools', 'expected a list, but is "none".'],
  [{ messages, tools: [1] }, '/tools/0', 'expected an object, but is 1.'],
  [{ messages, tools: [{}] }, '/tools/0/function/name', 'expected the name of a function, but is missing.'],
  [
    { messages: [messages[0], { role: 'assistant', content: '', tool_calls: [{ function: {} }] }] },
    '/messages/1/tool_calls/0/function/name',
    'expected the name of a function, but is missing.',
  ],
])('%j is refused with a pointer', (row, field, message) => {
  expect(read(row).problems).toEqual([{ field, message }]);
});
