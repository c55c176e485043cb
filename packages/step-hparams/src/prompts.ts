import { readDataset } from '@joyul/data';
import { questionsOf, writeHparams } from '@joyul/training';
import type { Hparams, PromptSpace } from '@joyul/training';
import { formInstructions } from './instructions.ts';
import type { Context } from './run.ts';

const listWords = (items: readonly (string | number)[]): string =>
  items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} or ${String(items.at(-1))}`;

/** Writes which prompts the train step tries, and how they are judged. */
export async function choosePrompts(values: Hparams, context: Omit<Context, 'workshop'>): Promise<void> {
  const { params, inputs, outputs, emit } = context;
  const train = questionsOf(await (await readDataset(inputs.dataset)).rows('train'));
  const formed = formInstructions(train).filter((text) => !params.instructions.includes(text));
  // More examples than there are rows cannot be shown.
  const shots = params.shots.filter((count) => count <= train.length).sort((left, right) => left - right);
  const prompts: PromptSpace = {
    instructions: ['', ...new Set(params.instructions), ...formed],
    shots: shots.length === 0 ? [0] : shots,
    questions: params.prompt_questions,
    maxNewTokens: params.max_new_tokens,
    context: params.context,
  };
  const { instructions, questions } = prompts;
  const reason = 'every instruction with every number of examples';
  await writeHparams(outputs.hparams, { version: 1, values, prompts, trials: [], reason });
  const count = instructions.length * prompts.shots.length;
  emit({
    type: 'finding',
    weight: 'headline',
    text: `${count} prompts are to be tried: ${instructions.length} instructions, each with ${listWords(prompts.shots)} similar examples. The weaker drop out early, and up to ${questions} validation questions decide between the last two; no weight changes.`,
  });
  emit({
    type: 'table',
    title: 'Instructions',
    columns: ['from', 'what the system says'],
    rows: instructions.map((text) => [
      text === '' ? 'the bare question' : formed.includes(text) ? 'the data' : 'the pipeline',
      text === '' ? 'nothing, or what the conversation has' : text,
    ]),
  });
}
