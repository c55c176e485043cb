import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openGenerator, openLanguageModel, writePrompt } from '@joyul/training';
import { writeTinyLlama } from '@joyul/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ServeError, startServer } from '../../src/index.ts';
import type { RunningServer } from '../../src/index.ts';

let folder: string;
let server: RunningServer;
const model = (): string => join(folder, 'tiny');
const local = { host: '127.0.0.1', port: 0, context: 128 } as const;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'joyul-serve-'));
  for (const name of ['tiny', 'prompted', 'changed']) {
    await writeTinyLlama(join(folder, name));
    await writeFile(join(folder, name, 'serving.json'), `{"name": "${name}", "task": "text-generation"}`);
  }
  server = await startServer({ ...local, dir: model(), maxBodyBytes: 4000 });
});
afterAll(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

interface Answer {
  readonly choices: readonly {
    readonly message?: { readonly content: string };
    readonly text?: string;
    readonly delta?: { readonly content?: string };
    readonly finish_reason: string | null;
  }[];
  readonly usage?: { readonly completion_tokens: number } | null;
  readonly error?: { readonly code: string; readonly message: string };
}

const messages = [{ role: 'user', content: 'n12' }];

function post(path: string, body: object, init: RequestInit = {}): Promise<Response> {
  const headers = { 'content-type': 'application/json', ...init.headers };
  return fetch(`${server.url}/v1/${path}`, { ...init, method: 'POST', headers, body: JSON.stringify(body) });
}
async function ask(path: string, body: object): Promise<Answer> {
  return (await (await post(path, body)).json()) as Answer; // OpenAI's format.
}
const chat = (body: object): Promise<Answer> => ask('chat/completions', { messages, ...body });

/** The parts of a streamed answer. */
async function stream(body: object): Promise<readonly Answer[]> {
  const text = await (await post('chat/completions', { messages, stream: true, ...body })).text();
  const events = text.split('\n\n').filter((event) => event !== '');
  expect(events.pop()).toBe('data: [DONE]');
  return events.map((event) => JSON.parse(event.slice('data: '.length)) as Answer); // As above.
}

describe('chat completions', () => {
  test('say what the model says to the same tokens as in training', async () => {
    const { model: opened, encoder } = await openLanguageModel(model());
    const generator = await openGenerator({ model: opened, context: 128 });
    const prompt = encoder.encodePrompt([{ role: 'user', content: 'n12' }]);
    const [alone] = await generator.generate([prompt], { maxNewTokens: 12, stopIds: [encoder.endId] });
    generator.dispose();
    expect(await chat({ temperature: 0, max_tokens: 12 })).toMatchObject({
      object: 'chat.completion',
      model: 'tiny',
      choices: [
        {
          message: { role: 'assistant', content: encoder.tokenizer.decode(alone?.ids ?? []) },
          finish_reason: 'length',
        },
      ],
      usage: {
        prompt_tokens: prompt.length,
        completion_tokens: 12,
        total_tokens: prompt.length + 12,
      },
    });
  });

  test('come in parts that make the same whole, with the counts at the end', async () => {
    const settings = { seed: 5, max_tokens: 30 };
    const whole = await chat(settings);
    const parts = await stream({ ...settings, stream_options: { include_usage: true } });
    const text = parts.map(({ choices }) => choices[0]?.delta?.content ?? '').join('');
    expect(text).toBe(whole.choices[0]?.message?.content);
    expect(parts.at(-2)?.choices[0]?.finish_reason).toBe('length');
    expect(parts.at(-1)).toMatchObject({ choices: [], usage: whole.usage });
  });

  test('that are asked for at the same time are as they would be alone', async () => {
    const seeds = [1, 2, 3, 4, 5];
    const alone: Answer[] = [];
    for (const seed of seeds) alone.push(await chat({ seed, max_tokens: 10 + 3 * seed }));
    const together = await Promise.all(seeds.map((seed) => chat({ seed, max_tokens: 10 + 3 * seed })));
    const textsOf = (answers: readonly Answer[]) =>
      answers.map(({ choices }) => choices[0]?.message?.content);
    expect(textsOf(together)).toEqual(textsOf(alone));
  });

  test('end before a stop text', async () => {
    const settings = { seed: 5, max_tokens: 30 };
    const text = (await chat(settings)).choices[0]?.message?.content ?? '';
    const stop = text.slice(6, 9);
    const { choices } = await chat({ ...settings, stop: [stop] });
    expect(choices[0]).toMatchObject({
      message: { content: text.slice(0, text.indexOf(stop)) },
      finish_reason: 'stop',
    });
  });

  test('end when the client goes away', async () => {
    const controller = new AbortController();
    const body = { messages, stream: true, max_tokens: 120, temperature: 0 };
    const response = await post('chat/completions', body, { signal: controller.signal });
    const reader = response.body?.getReader();
    await reader?.read();
    expect(await (await fetch(`${server.url}/metrics`)).text()).toContain('live_texts 1');
    controller.abort();
    await expect.poll(async () => (await fetch(`${server.url}/metrics`)).text()).toContain('live_texts 0');
  });
});

test('texts are continued', async () => {
  const { choices, usage } = await ask('completions', { prompt: ['n1', 'n2'], temperature: 0 });
  expect(choices).toHaveLength(2);
  expect(usage).toMatchObject({ prompt_tokens: 4, completion_tokens: 32 });
});

describe('what cannot be answered is refused', () => {
  test.each([
    [
      'a prompt without room',
      { messages: [{ role: 'user', content: 'x'.repeat(200) }] },
      'context_length_exceeded',
    ],
    ['a large body', { messages: [{ role: 'user', content: 'x'.repeat(5000) }] }, 'request_too_large'],
    ['no conversation', { messages: [] }, 'invalid_request'],
  ])('%s', async (_, body, code) => {
    expect((await chat(body)).error).toMatchObject({ code });
  });

  test('pages from elsewhere', async () => {
    const response = await post(
      'chat/completions',
      { messages },
      { headers: { origin: 'https://example.com' } },
    );
    expect(response.status).toBe(403);
  });
});

test('a folder with a prompt is asked by it', async () => {
  await writePrompt(join(folder, 'prompted'), { version: 1, instruction: 'Sort.', shots: 0 });
  const prompted = await startServer({ ...local, dir: join(folder, 'prompted') });
  const response = await fetch(`${prompted.url}/v1/chat/completions`, {
    method: 'POST',
    body: JSON.stringify({ messages, temperature: 0, max_tokens: 12 }),
  });
  const prompt = [{ role: 'system', content: 'Sort.' }, ...messages];
  const own = await chat({ messages: prompt, temperature: 0, max_tokens: 12 });
  expect(await response.json()).toMatchObject({ choices: own.choices, usage: own.usage });
  expect(await (await fetch(prompted.url)).text()).toContain('instruction “Sort.”');
  await prompted.close();
});

test('a model whose template was changed after its training is not served', async () => {
  const dir = join(folder, 'changed');
  const { encoding } = await openLanguageModel(dir);
  const config = JSON.parse(await readFile(join(dir, 'config.json'), 'utf8')) as object; // A model's description.
  await writeFile(join(dir, 'config.json'), JSON.stringify({ ...config, joyul: { encoder: encoding } }));
  await writeFile(join(dir, 'chat_template.jinja'), '{{ messages[0].content }}');
  await expect(startServer({ ...local, dir })).rejects.toThrow(
    /^The model would be asked with other tokens than it was trained with\. The chat template is another: trained with \w{12}, but here is \w{12} \(sha256\)\. A fixed text and conversation give other tokens: number \d+ was \d+, and is .*\. Put tokenizer\.json/,
  );
});

test('a folder that nobody deployed is served by what its config.json says', async () => {
  const dir = join(folder, 'plain');
  await writeTinyLlama(dir);
  const plain = await startServer({ ...local, dir });
  const models = await fetch(`${plain.url}/v1/models`);
  expect(await models.json()).toMatchObject({ data: [{ id: 'plain' }] });
  await plain.close();
});

test('a model that is of no known kind is refused in words', async () => {
  const dir = await mkdtemp(join(folder, 'other-'));
  await writeFile(join(dir, 'config.json'), '{"model_type": "gpt_neox"}');
  await expect(startServer({ ...local, dir })).rejects.toThrow(
    new ServeError(
      'config.json does not describe a model that can be tuned here: "model_type" is "gpt_neox"; only "bert", "llama", "mistral" are supported. Name a folder that deploy wrote, or a model with whole files.',
    ),
  );
});
