/** How well a linear head tells the right answer from what a model has made of a question, before and after tuning. */
import { makeRandom, shuffle } from '@joyul/data';
import type { Dataset } from '@joyul/data';
import { mcNemarTest, percent, sayP } from '@joyul/metrics';
import { answerByFeatures, openLanguageModel, questionsOf } from '@joyul/training';
import type { HeadTask } from '@joyul/training';
import type { Context } from './context.ts';

/** Training questions that heads are fitted on, and validation questions that they answer, at most. */
const limits = { shown: 500, questions: 200 };

/** Shares of questions that a head gets right on the untuned and on the tuned model's states. */
export interface ProbeChange {
  readonly questions: number;
  readonly before: number;
  readonly after: number;
  /** Two-sided, by McNemar's exact test. */
  readonly pValue: number;
}

/** How two heads did on the same questions. */
export function compareProbes(before: readonly boolean[], after: readonly boolean[]): ProbeChange {
  const share = (right: readonly boolean[]): number => right.filter(Boolean).length / right.length;
  return {
    questions: before.length,
    before: share(before),
    after: share(after),
    pValue: mcNemarTest(before, after).pValue,
  };
}

/** Fits heads on both models' states; nothing where no untuned one is wired, or answers are no choice among known ones. */
export async function measureProbes(
  dataset: Dataset,
  maxLength: number,
  { inputs, seed, backend, signal, emit }: Context,
): Promise<ProbeChange | undefined> {
  if (inputs.model === undefined || dataset.header.task !== 'chat') return undefined;
  const train = questionsOf(await dataset.rows('train'));
  const task: HeadTask = {
    shown: shuffle(train, makeRandom(seed)).slice(0, limits.shown),
    questions: questionsOf(await dataset.rows('validation')).slice(0, limits.questions),
  };
  if (task.questions.length === 0) return undefined;
  const answer = async (dir: string, name: string): Promise<readonly boolean[] | undefined> => {
    const head = await answerByFeatures(await openLanguageModel(dir), task, {
      context: maxLength,
      signal,
      ...(backend === undefined ? {} : { backend }),
      onProgress: (done, total) => {
        emit({ type: 'progress', activity: `states of the ${name} model`, done, total, unit: 'questions' });
      },
    });
    return head?.answers.map(({ text, expected }) => text === expected);
  };
  const before = await answer(inputs.model, 'untuned');
  if (before === undefined) return undefined;
  const after = await answer(inputs.trained, 'tuned');
  return after === undefined ? undefined : compareProbes(before, after);
}

/** Says what tuning did to the model's states. */
export function describeProbes({ questions, before, after, pValue }: ProbeChange): string {
  return `A linear head on the tuned model's states gets ${percent(after)} of ${questions} validation questions right, on the untuned model's ${percent(before)} (${sayP(pValue)}).`;
}
