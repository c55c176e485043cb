import { expect, test } from 'vitest';
import { RequestError } from '../../src/http.ts';
import { parseChatRequest, parseCompletionRequest } from '../../src/language/parse-request.ts';

const messages = [{ role: 'user', content: 'Hi' }];

function refusalOf(body: unknown): RequestError {
  try {
    parseChatRequest(body, 'tiny');
  } catch (error) {
    if (error instanceof RequestError) return error;
  }
  throw new Error('It was not refused.');
}

test('a request without settings has those of OpenAI', () => {
  expect(parseChatRequest({ messages }, 'tiny')).toEqual({
    messages,
    isStreamed: false,
    streamsUsage: false,
    temperature: 1,
    topP: 1,
    maxTokens: undefined,
    seed: undefined,
    stop: [],
  });
});

test('turns may be made of parts, and the newer name of a limit counts', () => {
  const content = [
    { type: 'text', text: 'a' },
    { type: 'text', text: 'b' },
  ];
  expect(
    parseChatRequest(
      {
        messages: [{ role: 'user', content }],
        max_tokens: 9,
        max_completion_tokens: 5,
        stop: 'x',
        n: 1,
        tools: [],
      },
      'tiny',
    ),
  ).toMatchObject({ messages: [{ content: 'ab' }], maxTokens: 5, stop: ['x'] });
});

test('everything that is wrong is told at once', () => {
  const { status, problems } = refusalOf({
    messages: [{ role: 'robot', content: [{ type: 'image_url' }] }, 'hello'],
    temperature: 'hot',
    top_p: 2,
    max_tokens: 0.5,
    n: 3,
    tools: [{}],
    stream: 'yes',
  });
  expect([status, ...(problems ?? []).map(({ message }) => message)]).toEqual([
    400,
    '"max_tokens" must be a whole number of at least 1, but is 0.5.',
    '"n" is not supported here, but is 3; leave it out.',
    '"tools" is not supported here, but is [{}]; leave it out.',
    '"stream" must be true or false, but is "yes".',
    '"temperature" must be a number from 0 to 2, but is "hot".',
    '"top_p" must be a number from 0 to 1, but is 2.',
    '"messages[0].role" must be one of system, developer, user, assistant, tool, but is "robot".',
    '"messages[0].content[0]" must be {"type": "text", "text": "…"}, but is {"type":"image_url"}.',
    '"messages[1]" must be an object with a role and a content, but is "hello".',
  ]);
});

test('another model is not found', () => {
  expect(refusalOf({ model: 'gpt-4o', messages })).toMatchObject({
    status: 404,
    code: 'model_not_found',
    message: 'There is no model "gpt-4o" here; "tiny" is served.',
  });
});

test('a text and a list of texts can be continued', () => {
  expect(parseCompletionRequest({ prompt: 'a' }, 'tiny').prompts).toEqual(['a']);
  expect(parseCompletionRequest({ prompt: ['a', 'b'] }, 'tiny').prompts).toEqual(['a', 'b']);
  expect(() => parseCompletionRequest({ prompt: [1, 2] }, 'tiny')).toThrow(
    '"prompt" must be a text or a list of texts, but is [1,2].',
  );
});
