import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ChatMessage } from '@joyul/data';
import { Rig, findingsOf, makeChatRows, makeMoodRows, writeTinyBert, writeTinyLlama } from '@joyul/testing';
import type { Finished } from '@joyul/testing';
import type { Prompt } from '@joyul/training';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const steps = `
name: numbers
params: { source: chats.jsonl, model: ./tiny }
steps:
  prepare:
    uses: prepare
    with: { source: "\${{ params.source }}", split: { validation: 0.3, test: 0.2 } }
  select:
    uses: select
    with: { candidates: [{ name: tiny, source: "\${{ params.model }}" }] }
    inputs: { dataset: prepare.dataset }
  strategy:
    uses: strategy
    with: { method: prompt }
    inputs: { dataset: prepare.dataset, model: select.model }
  hparams:
    uses: hparams
    with: { instructions: [Say even or odd.], shots: [0, 2], prompt_questions: 24, max_new_tokens: 6, context: 192 }
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }
  init:
    uses: init
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }
  train:
    uses: train
    inputs: { dataset: prepare.dataset, weights: init.weights, strategy: strategy.strategy, hparams: hparams.hparams }
  evaluate:
    uses: evaluate
    with: { generations: 10, max_new_tokens: 6 }
    inputs: { trained: train.trained, dataset: prepare.dataset }
  test:
    uses: test
    with: { max_questions: 12, max_new_tokens: 6, context: 192, shots: 0 }
    inputs: { trained: train.trained, test: prepare.test, dataset: prepare.dataset, model: select.model }
  deploy:
    uses: deploy
    with: { to: models/numbers }
    inputs: { trained: train.trained, metrics: test.metrics, dataset: prepare.dataset, model: select.model }
`;

async function createNumbers(files: Readonly<Record<string, string>> = {}): Promise<Rig> {
  const rig = await Rig.create();
  await rig.write({ 'pipeline.yaml': steps, 'chats.jsonl': makeChatRows(150), ...files });
  await writeTinyLlama(rig.path('tiny'));
  return rig;
}

/** The same pipeline, with a model behind an API in the place of the tiny one. */
const withEndpoint = (url: string): string =>
  steps
    .replace(
      '{ method: prompt }',
      `{ method: prompt, endpoint: { url: "${url}", model: clever, api_key_from: ANSWER_KEY } }`,
    )
    .replace(
      'params:',
      'secrets: [ANSWER_KEY]\ndefaults: { environment: { ANSWER_KEY: "${{ secrets.ANSWER_KEY }}" } }\nparams:',
    );

async function listAll(dir: string): Promise<readonly string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

/** Bytes of all files, those that are linked counted once. */
async function sizeOf(dir: string): Promise<number> {
  const facts = await Promise.all((await listAll(dir)).map(async (file) => stat(file)));
  return [...new Map(facts.map(({ ino, size }) => [ino, size])).values()].reduce(
    (sum, size) => sum + size,
    0,
  );
}

/** Files that hold a text. */
async function findFiles(dir: string, text: string): Promise<readonly string[]> {
  const found = await Promise.all(
    (await listAll(dir)).map(async (file) => ((await readFile(file)).includes(text) ? [file] : [])),
  );
  return found.flat();
}

const failureOf = (result: Finished): unknown =>
  result.events.find((event) => event.kind === 'attempt-failed');

describe('a prompt for a model on this machine', () => {
  test('is searched for, measured and deployed as a trained model is', async () => {
    await using rig = await createNumbers({
      'pipeline.yaml': steps.replace('shots: [0, 2]', 'shots: [1, 2]'),
    });
    const started = await rig.run('--until', 'init');
    const before = await sizeOf(rig.path('.joyul'));
    const trained = await rig.run('--until', 'train');
    // No second copy of 120 kB of weights.
    expect((await sizeOf(rig.path('.joyul'))) - before).toBeLessThan(80_000);
    const result = await rig.run();
    expect([result.exitCode, result.stderr]).toEqual([0, '']);
    expect(findingsOf(started, 'strategy')).toContain(
      'Prompting, which is not fine-tuning: no weight changes, because the pipeline says so.',
    );
    expect(findingsOf(trained, 'hparams')).toContain(
      '8 prompts are to be tried: 4 instructions, each with 1 or 2 similar examples.',
    );
    expect(findingsOf(trained, 'hparams')).toContain(
      '["the data","Answer with one of these and nothing else: even, odd."]',
    );
    expect(findingsOf(trained, 'train')).toContain('Digests of 20 tensors prove that nothing moved.');
    expect(findingsOf(trained, 'train')).toContain('176 answers were compared.');
    expect(findingsOf(result, 'evaluate')).toMatch(/perplexity [\d.]+ on \d+ tokens\. Of 10 answers/);
    expect(findingsOf(result, 'test')).toContain('untuned, the bare question');
    expect(findingsOf(result, 'deploy')).toMatch(
      /replayed on 20 questions it asks word for word.*logits differ by at most 0\.0e\+0/s,
    );
    const prompt = JSON.parse(await rig.read('models/numbers/prompt.json')) as Prompt; // As deploy writes it.
    expect(prompt.examples).toHaveLength(75);
    expect(prompt.examples?.[0]).toMatchObject({ messages: [{ role: 'user' }] });
    expect(await rig.read('models/numbers/README.md')).toMatch(
      /Not fine-tuned: no weight of \.\/tiny changed\..*Before the question [12] of 75 examples are shown.*> \*\*assistant\*\*\n> (?:even|odd)/s,
    );
  });

  test('needs questions', async () => {
    await using rig = await createNumbers({ 'rows.csv': makeMoodRows(60) });
    await writeTinyBert(rig.path('encoder'));
    const result = await rig.run('-s', 'source=rows.csv', '-s', 'model=./encoder', '--until', 'strategy');
    expect(failureOf(result)).toMatchObject({
      failure: {
        code: 'NO_QUESTIONS',
        message: 'method: prompt asks questions, and this data set has labelled texts without any.',
        help: expect.stringContaining('Make questions of them in prepare, such as `question: '),
      },
    });
  });

  test('has no endpoint beside another method', async () => {
    await using rig = await createNumbers({
      'pipeline.yaml': withEndpoint('http://127.0.0.1:9/v1').replace('method: prompt', 'method: lora'),
    });
    const result = await rig.joyul('validate', 'pipeline.yaml');
    expect(result.exitCode).toBe(2);
    expect(result.stdout + result.stderr).toContain('An endpoint can only be asked, and "method" is lora.');
  });
});

describe('a prompt for a model behind an API', () => {
  let server: Server;
  let url: string;
  let keys: (string | undefined)[] = [];
  /** Requests after which the server refuses all others. */
  let limit = Number.POSITIVE_INFINITY;

  /** Knows what to say only when it is told what the answers are. */
  function say(messages: readonly ChatMessage[]): string {
    const number = Number(/\d+/.exec(messages.at(-1)?.content ?? '')?.[0]);
    const knows = messages.some(({ role, content }) => role === 'system' && content === 'Say even or odd.');
    return knows ? (number % 2 === 0 ? 'even' : 'odd') : 'a number';
  }

  beforeAll(async () => {
    server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk) => (text += String(chunk)));
      request.on('end', () => {
        keys.push(request.headers.authorization);
        const { messages } = JSON.parse(text) as { readonly messages: readonly ChatMessage[] }; // What the client wrote.
        const isOver = keys.length > limit;
        response.writeHead(isOver ? 403 : 200, { 'content-type': 'application/json' });
        const choices = [{ message: { content: say(messages) }, finish_reason: 'stop' }];
        const usage = { prompt_tokens: 10 * messages.length, completion_tokens: 2 };
        response.end(JSON.stringify(isOver ? { error: { message: 'no credit left' } } : { choices, usage }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`; // It listens on a port.
  });
  beforeEach(() => {
    keys = [];
    limit = Number.POSITIVE_INFINITY;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test('is found, tested and deployed without weights, and its key is nowhere', async () => {
    await using project = await createNumbers({ 'pipeline.yaml': withEndpoint(url) });
    const rig = project.withEnv({ ANSWER_KEY: 'sk-never-to-be-seen' });
    const result = await rig.run();
    expect([result.exitCode, result.stderr]).toEqual([0, '']);
    expect(findingsOf(result, 'strategy')).toMatch(
      /no weight changes, and clever at 127\.0\.0\.1:\d+ is asked/,
    );
    expect(findingsOf(result, 'train')).toContain(
      'The best of 8 prompts has no examples and the instruction “Say even or odd.”: exact match 100.0 % of 24 validation questions; the bare question gets 0.0 % of',
    );
    expect(findingsOf(result, 'evaluate')).toContain('"Of 10 answers 100.0 % are exactly as expected');
    expect(findingsOf(result, 'test')).toContain('["clever, searched prompt","100.0 %"');
    expect(await readdir(rig.path('models/numbers'))).toEqual([
      'README.md',
      'golden.json',
      'prompt.json',
      'serving.json',
    ]);
    expect(await rig.read('models/numbers/README.md')).toContain('no weight of clever (http://127.0.0.1:');
    expect(new Set(keys)).toEqual(new Set(['Bearer sk-never-to-be-seen']));
    expect(await findFiles(rig.dir, 'sk-never-to-be-seen')).toEqual([]);
  });

  test('is searched for from where a failed attempt ended', async () => {
    await using project = await createNumbers({ 'pipeline.yaml': withEndpoint(url) });
    const rig = project.withEnv({ ANSWER_KEY: 'sk-some' });
    limit = 40;
    const first = await rig.run('--until', 'train');
    expect(failureOf(first)).toMatchObject({
      failure: {
        code: 'ENDPOINT_KEY',
        message: expect.stringMatching(/refuses the key \(403\): no credit left$/),
      },
    });
    limit = Number.POSITIVE_INFINITY;
    keys = [];
    await rig.run('--until', 'train');
    // 8 prompts on 16 questions, and 2 on 8 more, less what was kept of the first attempt.
    expect(keys.length).toBeLessThanOrEqual(8 * 16 + 2 * 8 - 32);
  });

  test('needs the key that it names', async () => {
    await using rig = await createNumbers({
      'pipeline.yaml': withEndpoint(url).replace(/defaults: .*\n/, ''),
    });
    const result = await rig.run('--until', 'train');
    expect(failureOf(result)).toMatchObject({
      failure: {
        code: 'ENDPOINT_KEY',
        message: expect.stringMatching(
          /needs a key in the variable ANSWER_KEY, which this step does not have\.$/,
        ),
      },
    });
    expect(keys).toEqual([]);
  });
});
