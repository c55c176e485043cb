import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keepAnswers, questionsOf } from '../../src/index.ts';
import type { Answerer } from '../../src/index.ts';
import { TemporaryFolder } from '../trunk/support.ts';

let folder: TemporaryFolder;
let asked: string[];

beforeEach(() => {
  folder = new TemporaryFolder();
  asked = [];
});
afterEach(() => {
  folder[Symbol.dispose]();
});

const questions = questionsOf(
  Array.from({ length: 70 }, (_, index) => ({
    id: String(index),
    text: '',
    messages: [
      { role: 'user', content: `q${index}` },
      { role: 'assistant', content: 'x' },
    ] as const,
  })),
);

/** Repeats what it is asked, and remembers that it was. */
const parrot: Answerer = {
  answer: (given, { ask = ({ messages }) => messages }) =>
    Promise.resolve(
      given.map((question) => {
        const text = ask(question).at(-1)?.content ?? '';
        asked.push(text);
        return { ...question, text, promptTokens: 1, newTokens: 2, ending: 'stop' as const };
      }),
    ),
  dispose: () => undefined,
};
const open = (options: { readonly identity?: string; readonly signal?: AbortSignal } = {}) =>
  keepAnswers(parrot, { file: join(folder.path, 'answers.jsonl'), identity: 'model', ...options });

test('a question that was answered is not asked again, in another process neither', async () => {
  const first = await (await open()).answer(questions, { maxNewTokens: 4 });
  const told: number[] = [];
  const again = await (
    await open()
  ).answer(questions, { maxNewTokens: 4, onProgress: (done) => told.push(done) });
  expect(again).toEqual(first);
  expect(asked).toHaveLength(questions.length);
  expect(told).toEqual([questions.length]);
});

test.each([
  ['another model', { identity: 'other' }, { maxNewTokens: 4 }],
  ['more room', {}, { maxNewTokens: 5 }],
  [
    'another prompt',
    {},
    { maxNewTokens: 4, ask: () => [{ role: 'user', content: 'something else' }] as const },
  ],
])('%s is asked anew', async (_, options, settings) => {
  await (await open()).answer(questions.slice(0, 1), { maxNewTokens: 4 });
  await (await open(options)).answer(questions.slice(0, 1), settings);
  expect(asked).toHaveLength(2);
});

test('a line that was broken off costs one answer', async () => {
  const file = join(folder.path, 'answers.jsonl');
  await (await open()).answer(questions.slice(0, 3), { maxNewTokens: 4 });
  const text = await readFile(file, 'utf8');
  await writeFile(file, text.trimEnd().slice(0, -5));
  asked = [];
  await (await open()).answer(questions.slice(0, 3), { maxNewTokens: 4 });
  expect(asked).toEqual(['q2']);
  await appendFile(file, 'not JSON');
  await (await open()).answer(questions.slice(0, 3), { maxNewTokens: 4 });
  expect(asked).toEqual(['q2']);
});

test('what was answered before a cancelling is kept', async () => {
  const controller = new AbortController();
  const answerer = await open({ signal: controller.signal });
  const answering = answerer.answer(questions, {
    maxNewTokens: 4,
    onProgress: () => {
      controller.abort();
    },
  });
  await expect(answering).rejects.toMatchObject({
    code: 'CHECKPOINTED',
    message: 'Asking stopped after 32 answers.',
  });
  await (await open()).answer(questions, { maxNewTokens: 4 });
  expect(new Set(asked).size).toBe(asked.length);
});
