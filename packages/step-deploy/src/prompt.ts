import type { Row } from '@joyul/data';
import { StepFailure } from '@joyul/plugin-api';
import { makeAsk, openAnswerer, questionsOf, readPrompt, writePrompt } from '@joyul/training';
import type { Prompt } from '@joyul/training';
import { writeJson } from './common.ts';
import type { Context } from './common.ts';

/** Questions whose prompts are compared before and after the export. */
const replayed = 20;
/** Of these, those that an endpoint is asked: each costs a request. */
const asked = 5;

/**
 * Writes how the model is asked, and shows that the written prompt asks the same. An endpoint's answers to a few questions
 * are kept beside it, since there is no model whose numbers could be.
 */
export async function exportPrompt(
  dir: string,
  prompt: Prompt,
  rows: readonly Row[],
  context: Context,
): Promise<void> {
  const { params, env, signal, emit } = context;
  await writePrompt(dir, prompt);
  const written = await readPrompt(dir);
  const questions = questionsOf(rows).slice(0, replayed);
  const render = (from: Prompt | undefined): string =>
    JSON.stringify(from === undefined ? [] : questions.map(makeAsk(from, from.examples)));
  if (render(prompt) !== render(written))
    throw new StepFailure('EXPORT_DIFFERS', 'The exported prompt asks other than the tested one.', {
      help: 'This is a fault in the export: please report it.',
    });
  emit({
    type: 'finding',
    text: `prompt.json holds the prompt: replayed on ${questions.length} questions it asks word for word what the tested one asked. README.md shows it.`,
  });
  const { endpoint } = prompt;
  if (endpoint === undefined) return;
  const ask = makeAsk(prompt, prompt.examples);
  emit({ type: 'progress', activity: 'asking for golden answers', done: 0 });
  const answerer = await openAnswerer(dir, { env, signal });
  const answers = await answerer.answer(questions.slice(0, asked), { maxNewTokens: 128 });
  answerer.dispose();
  await writeJson(dir, 'golden.json', {
    version: 1,
    answers: answers.map(({ messages, text }) => ({ messages: ask({ messages }), answer: text })),
  });
  emit({
    type: 'finding',
    weight: 'headline',
    text: `The prompt for ${endpoint.model} at ${new URL(endpoint.url).host} is in ${params.to}; the weights stay there. README.md is its card.`,
  });
}
