import { join } from 'node:path';
import { writeTinyLlama } from '@joyul/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  answerQuestions,
  makeAsk,
  measurePrompted,
  openAnswerer,
  openGenerator,
  openLanguageModel,
  promptRows,
  questionsOf,
  readPrompt,
  writePrompt,
} from '../../src/index.ts';
import type { Answer, AnswerOptions } from '../../src/index.ts';
import { TemporaryFolder } from '../trunk/support.ts';

const folder = new TemporaryFolder();
const dirOf = (name: string): string => join(folder.path, name);

const rowOf = (asked: string, expected: string) => ({
  id: asked,
  text: asked,
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'user', content: asked },
    { role: 'assistant', content: expected },
  ] as const,
});
const questions = questionsOf([rowOf('red apple', 'fruit'), rowOf('red car', 'thing')]);
const examples = questionsOf([
  rowOf('blue sky', 'nature'),
  rowOf('green apple', 'fruit'),
  rowOf('old car', 'thing'),
]);
const settings = { maxNewTokens: 6 };

beforeAll(async () => {
  await writeTinyLlama(dirOf('bare'));
  await writeTinyLlama(dirOf('prompted'));
  await writePrompt(dirOf('prompted'), { version: 1, instruction: 'Sort.', shots: 1, examples });
});
afterAll(() => {
  folder[Symbol.dispose]();
});

async function answerFrom(dir: string, options: Partial<AnswerOptions> = {}): Promise<readonly Answer[]> {
  const answerer = await openAnswerer(dirOf(dir), { context: 128 });
  try {
    return await answerer.answer(questions, { ...settings, ...options });
  } finally {
    answerer.dispose();
  }
}

test('the most similar example stands before the question, under the instruction', () => {
  const ask = makeAsk({ instruction: 'Sort.', shots: 1 }, examples);
  expect(questions.map(ask)).toEqual([
    [
      { role: 'system', content: 'Sort.' },
      { role: 'user', content: 'green apple' },
      { role: 'assistant', content: 'fruit' },
      { role: 'user', content: 'red apple' },
    ],
    [
      { role: 'system', content: 'Sort.' },
      { role: 'user', content: 'old car' },
      { role: 'assistant', content: 'thing' },
      { role: 'user', content: 'red car' },
    ],
  ]);
});

test('without an instruction the conversation keeps its own', () => {
  const [asked] = questions.map(makeAsk({ instruction: '', shots: 0 }));
  expect(asked).toEqual(questions[0]?.messages);
});

test('a folder without a prompt is asked the bare question', async () => {
  const { model, encoder } = await openLanguageModel(dirOf('bare'));
  const generator = await openGenerator({ model, context: 128, batchSize: 16 });
  const plain = await answerQuestions(generator, encoder, questions, settings);
  generator.dispose();
  expect(await answerFrom('bare')).toEqual(plain);
  expect(await readPrompt(dirOf('bare'))).toBeUndefined();
});

test('a folder with a prompt answers as one without, asked by that prompt', async () => {
  const ask = makeAsk({ instruction: 'Sort.', shots: 1 }, examples);
  const prompted = await answerFrom('prompted');
  expect(prompted).toEqual(await answerFrom('bare', { ask }));
  const bare = await answerFrom('bare');
  expect(prompted.map(({ promptTokens }) => promptTokens)).not.toEqual(
    bare.map(({ promptTokens }) => promptTokens),
  );
});

test("what is asked is changed before the folder's own prompt is put around it", async () => {
  const [changed] = await answerFrom('prompted', {
    ask: ({ messages }) => messages.map((message) => ({ ...message, content: 'blue sea' })),
  });
  const ask = makeAsk({ instruction: 'Sort.', shots: 1 }, examples);
  const [direct] = await answerFrom('bare', {
    ask: () => ask({ messages: [{ role: 'user', content: 'blue sea' }] }),
  });
  expect(changed?.text).toBe(direct?.text);
});

test('a prompted model is measured on the answers alone, with the prompt around the questions', async () => {
  const rows = questions.map(({ row }) => row);
  const asked = promptRows(rows, { version: 1, instruction: 'Sort.', shots: 1, examples });
  expect(asked[0]?.messages?.map(({ content, weight }) => [content, weight])).toEqual([
    ['Sort.', 0],
    ['green apple', 0],
    ['fruit', 0],
    ['red apple', 0],
    ['fruit', undefined],
  ]);
  const prompted = await measurePrompted(dirOf('prompted'), rows, { maxLength: 128 });
  const same = await measurePrompted(dirOf('bare'), asked, { maxLength: 128 });
  const bare = await measurePrompted(dirOf('bare'), rows, { maxLength: 128 });
  expect(prompted?.loss).toBeCloseTo(same?.loss ?? 0, 4);
  expect(prompted?.loss).not.toBeCloseTo(bare?.loss ?? 0, 2);
  expect(prompted?.targets).toBe(bare?.targets);
});

test('too long a prompt loses its beginning before it is measured, not its answer', async () => {
  const rows = questions.map(({ row }) => row);
  const cut = await measurePrompted(dirOf('prompted'), rows, { maxLength: 16 });
  const whole = await measurePrompted(dirOf('prompted'), rows, { maxLength: 128 });
  expect(cut?.targets).toBe(whole?.targets);
  expect(Number.isFinite(cut?.loss)).toBe(true);
});
