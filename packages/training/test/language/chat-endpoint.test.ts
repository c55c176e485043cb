import { createServer } from 'node:http';
import type { IncomingHttpHeaders, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StepFailure } from '@joyul/plugin-api';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ChatEndpoint, openEndpointAnswerer, questionsOf } from '../../src/index.ts';
import type { ChatEndpointOptions } from '../../src/index.ts';

interface Asked {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Readonly<Record<string, unknown>>;
}

let server: Server;
let url: string;
let asked: Asked[];
/** Answers one request after the other; the last of them answers all that come after. */
let script: ((response: ServerResponse, request: Asked) => void)[];

const send =
  (status: number, content: unknown, headers: Readonly<Record<string, string>> = {}) =>
  (response: ServerResponse): void => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof content === 'string' ? content : JSON.stringify(content));
  };
const answer = (content: string, more: object = {}) =>
  send(200, { choices: [{ message: { role: 'assistant', content }, finish_reason: 'stop' }], ...more });
const refuse = (status: number, message: string, headers: Readonly<Record<string, string>> = {}) =>
  send(status, { error: { message } }, headers);

beforeEach(async () => {
  asked = [];
  script = [answer('yes', { usage: { prompt_tokens: 12, completion_tokens: 3 } })];
  server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => (text += String(chunk)));
    request.on('end', () => {
      const body = JSON.parse(text) as Asked['body']; // What the client wrote.
      const seen = { path: request.url ?? '', headers: request.headers, body };
      const reply = script[Math.min(asked.length, script.length - 1)];
      asked.push(seen);
      reply?.(response, seen);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo; // It listens on a port.
  url = `http://127.0.0.1:${port}/v1`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const messages = [{ role: 'user', content: 'Is it?' }] as const;
const env = { API_KEY: 'sk-very-secret' };
const ask = (options: ChatEndpointOptions & { readonly url?: string } = {}) =>
  new ChatEndpoint(
    { url: options.url ?? url, model: 'small', keyVariable: 'API_KEY' },
    { env, retryDelayMs: 1, ...options },
  ).reply(messages, 9);
const failureOf = async (promise: Promise<unknown>) => {
  const error: unknown = await promise.catch((caught: unknown) => caught);
  if (!(error instanceof StepFailure)) throw new Error(`No StepFailure: ${String(error)}`);
  return [error.code, error.message.replace(/:\d{4,}/, ':PORT'), error.help];
};

describe('a model behind an OpenAI-compatible API', () => {
  test('is asked greedily, with the key, and counts its tokens', async () => {
    expect(await ask({ url: `${url}/` })).toEqual({
      text: 'yes',
      promptTokens: 12,
      newTokens: 3,
      ending: 'stop',
    });
    expect(asked).toMatchObject([
      {
        path: '/v1/chat/completions',
        headers: { authorization: 'Bearer sk-very-secret' },
        body: { model: 'small', messages, max_tokens: 9, temperature: 0 },
      },
    ]);
  });

  test('is believed without usage, and where it was cut off', async () => {
    script = [send(200, { choices: [{ message: { content: 'abcdefgh' }, finish_reason: 'length' }] })];
    expect(await ask()).toEqual({ text: 'abcdefgh', promptTokens: 2, newTokens: 2, ending: 'length' });
  });

  test('is asked in its own form where it refuses the usual one', async () => {
    script = [
      refuse(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
      refuse(400, "Unsupported value: 'temperature' does not support 0."),
      answer('yes'),
    ];
    expect((await ask()).text).toBe('yes');
    expect(asked[2]?.body).toEqual({ model: 'small', messages, max_completion_tokens: 9 });
  });

  test.each([
    ['when it is busy, as long as it says', refuse(429, 'slow down', { 'retry-after': '0.05' }), 50],
    ['when it fails', refuse(503, 'overloaded'), 1],
    [
      'when it breaks off',
      (response: ServerResponse) => response.writeHead(200, { 'content-length': 9 }).destroy(),
      1,
    ],
  ])('is asked again %s', async (_, trouble, leastMs) => {
    const endpoint = new ChatEndpoint({ url, model: 'small' }, { retryDelayMs: 1 });
    await endpoint.reply(messages, 9);
    script = [answer('first'), trouble, trouble, answer('late')];
    const startMs = performance.now();
    expect((await endpoint.reply(messages, 9)).text).toBe('late');
    expect(asked).toHaveLength(4);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(leastMs);
  });

  test('is given up after five attempts', async () => {
    script = [refuse(500, 'broken for good')];
    expect(await failureOf(ask())).toEqual([
      'ENDPOINT_BUSY',
      '127.0.0.1:PORT answered 500: broken for good (attempt 5 of 5)',
      'Run again later: what was answered until now is kept.',
    ]);
    expect(asked).toHaveLength(5);
  });

  test('is not waited for beyond its time', async () => {
    script = [() => undefined];
    expect((await failureOf(ask({ timeoutMs: 20 }))).slice(0, 2)).toEqual([
      'ENDPOINT_BUSY',
      '127.0.0.1:PORT gave no answer in 0.02 s (attempt 5 of 5)',
    ]);
  });

  test('is left alone when the run is cancelled', async () => {
    const controller = new AbortController();
    script = [
      () => {
        controller.abort(new Error('cancelled'));
      },
    ];
    await expect(ask({ signal: controller.signal })).rejects.toThrow('cancelled');
    expect(asked).toHaveLength(1);
  });
});

describe('what is wrong is said', () => {
  test('a key that is refused, without telling it', async () => {
    script = [refuse(401, 'Incorrect API key provided: sk-very-secret.')];
    expect(await failureOf(ask())).toEqual([
      'ENDPOINT_KEY',
      '127.0.0.1:PORT refuses the key (401): Incorrect API key provided: ***.',
      'Check the secret that the variable API_KEY gets.',
    ]);
    expect(asked).toHaveLength(1);
  });

  test('a key that the step does not have', async () => {
    expect(await failureOf((async () => ask({ env: {} }))())).toEqual([
      'ENDPOINT_KEY',
      'The endpoint 127.0.0.1:PORT needs a key in the variable API_KEY, which this step does not have.',
      "Give it to every step that asks: environment: { API_KEY: '${{ secrets.NAME }}' }, in the step or in the pipeline's defaults.",
    ]);
    expect(asked).toHaveLength(0);
  });

  test('a server that is not there', async () => {
    expect(await failureOf(ask({ url: 'http://127.0.0.1:9/v1' }))).toEqual([
      'ENDPOINT_UNREACHABLE',
      'http://127.0.0.1:9/v1/chat/completions cannot be reached.',
      'Check the url of the endpoint, such as http://127.0.0.1:11434/v1, and that its server runs.',
    ]);
  });

  test('a model that it does not have', async () => {
    script = [refuse(404, 'The model `small` does not exist.')];
    expect((await failureOf(ask())).slice(0, 2)).toEqual([
      'ENDPOINT_MODEL',
      '127.0.0.1:PORT has no model small there (404): The model `small` does not exist.',
    ]);
  });

  test('a page in the place of an API', async () => {
    script = [send(200, '<html>Welcome</html>')];
    expect((await failureOf(ask())).slice(0, 2)).toEqual([
      'ENDPOINT_PROTOCOL',
      `${url.replace(/:\d{4,}/, ':PORT')}/chat/completions does not answer as a chat API does: <html>Welcome</html>`,
    ]);
  });

  test('a question that it refuses', async () => {
    script = [refuse(400, 'This is longer than the context.')];
    expect((await failureOf(ask())).slice(0, 2)).toEqual([
      'ENDPOINT_REFUSED',
      '127.0.0.1:PORT refuses the question (400): This is longer than the context.',
    ]);
  });
});

describe('many questions', () => {
  const questions = questionsOf(
    Array.from({ length: 12 }, (_, index) => ({
      id: String(index),
      text: '',
      messages: [
        { role: 'user', content: `n${index}` },
        { role: 'assistant', content: 'x' },
      ] as const,
    })),
  );
  const last = ({ body }: Asked): string =>
    (body['messages'] as readonly { readonly content: string }[]).at(-1)?.content ?? ''; // As the client sends them.

  test('are asked a few at a time and answered in order', async () => {
    let open = 0;
    let most = 0;
    script = [
      (response, request) => {
        most = Math.max(most, ++open);
        setTimeout(() => {
          open--;
          answer(`to ${last(request)}`)(response);
        }, 5);
      },
    ];
    const told: number[] = [];
    const answers = await openEndpointAnswerer({ url, model: 'small' }).answer(questions, {
      maxNewTokens: 4,
      onProgress: (done) => told.push(done),
    });
    expect(answers.map(({ text }) => text)).toEqual(questions.map((_, index) => `to n${index}`));
    expect(most).toBe(4);
    expect(told.at(-1)).toBe(12);
  });

  test('end with the first that fails', async () => {
    script = [answer('one'), refuse(400, 'no')];
    const answering = openEndpointAnswerer({ url, model: 'small' }).answer(questions, { maxNewTokens: 4 });
    await expect(answering).rejects.toThrow('refuses the question (400): no');
    expect(asked.length).toBeLessThan(questions.length);
  });
});
