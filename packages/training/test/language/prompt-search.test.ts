import { expect, test } from 'vitest';
import { planRounds, searchPrompts, questionsOf } from '../../src/index.ts';
import type { Answerer, PromptSearchOptions } from '../../src/index.ts';

const questions = questionsOf(
  Array.from({ length: 40 }, (_, index) => ({
    id: String(index),
    text: '',
    messages: [
      { role: 'user', content: `q${index}` },
      { role: 'assistant', content: 'yes' },
    ] as const,
  })),
);

/** Answers rightly as often in a hundred as the instruction says; a longer conversation has more tokens. */
const answerer: Answerer = {
  answer: (given, { ask = ({ messages }) => messages }) =>
    Promise.resolve(
      given.map((question, index) => {
        const messages = ask(question);
        const share = Number(messages.find(({ role }) => role === 'system')?.content ?? 0);
        const text = (index * 37) % 100 < share ? 'yes' : 'no';
        return { ...question, text, promptTokens: messages.length, newTokens: 1, ending: 'stop' as const };
      }),
    ),
  dispose: () => undefined,
};
const search = (more: Partial<PromptSearchOptions> & { readonly instructions: readonly string[] }) =>
  searchPrompts({
    space: {
      instructions: more.instructions,
      shots: [0, 2],
      questions: 32,
      maxNewTokens: 4,
      context: 64,
    },
    answerer,
    questions,
    examples: questions.slice(32),
    ...more,
  });

test('half of the prompts go on to twice as many questions, and the last two to all', () => {
  expect(planRounds(16, 200)).toEqual([
    { prompts: 16, questions: 25 },
    { prompts: 8, questions: 50 },
    { prompts: 4, questions: 100 },
    { prompts: 2, questions: 200 },
  ]);
});

test('few questions are asked once', () => {
  expect(planRounds(5, 10)).toEqual([{ prompts: 5, questions: 10 }]);
  expect(planRounds(12, 40)).toEqual([
    { prompts: 12, questions: 16 },
    { prompts: 3, questions: 20 },
    { prompts: 2, questions: 40 },
  ]);
  expect(planRounds(1, 10)).toEqual([{ prompts: 1, questions: 10 }]);
});

test('the best prompt wins, and of equal ones the shortest', async () => {
  const { best, trials, metric } = await search({ instructions: ['', '50', '90', '70'] });
  expect(metric).toBe('exactMatch');
  expect(best).toMatchObject({ instruction: '90', shots: 0, questions: 32, round: 2 });
  expect(trials.map(({ instruction, shots, round }) => [instruction, shots, round])).toEqual([
    ['90', 0, 2],
    ['90', 2, 2],
    ['70', 0, 1],
    ['70', 2, 1],
    ['50', 0, 1],
    ['50', 2, 1],
    ['', 0, 1],
    ['', 2, 1],
  ]);
});

test('progress adds up to all answers', async () => {
  const told: [number, number][] = [];
  const { answers } = await search({
    instructions: ['', '50'],
    answerer: {
      ...answerer,
      answer: async (given, settings) => {
        const answered = await answerer.answer(given, settings);
        settings.onProgress?.(given.length);
        return answered;
      },
    },
    onProgress: (done, total) => told.push([done, total]),
  });
  expect(told.at(-1)).toEqual([answers, answers]);
  expect(answers).toBe(4 * 16 + 2 * 32);
});
