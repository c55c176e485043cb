import type { Row } from '@joyul/data';
import {
  drawLanguageAdapter,
  encodeLanguageRows,
  gradeAnswers,
  openLanguageModel,
  questionsOf,
  trainLanguageModel,
} from '@joyul/training';
import type { Hparams, LanguageTrainOptions, Question, Strategy } from '@joyul/training';
import type { Context, TrialRunner } from './run.ts';
import { sampleRows } from './sample-rows.ts';

/** Questions that a grader judges the answers to; none where the loss judges. */
const chooseQuestions = (
  validation: readonly Row[],
  { grader, grader_questions: count }: Context['params'],
): readonly Question[] => (grader === undefined ? [] : questionsOf(validation).slice(0, count));

/** The mean grade of answers; undefined where the loss judges. */
function grade(
  questions: readonly Question[],
  answers: readonly string[] | undefined,
  { grader }: Context['params'],
): number | undefined {
  if (grader === undefined || answers === undefined) return undefined;
  const given = questions.map((question, at) => ({ ...question, text: answers[at] ?? '' }));
  return gradeAnswers(grader, given).reduce((sum, { score }) => sum + score, 0) / questions.length;
}

/** What trains a language model on a sample of the rows for each trial. */
export async function prepareLanguageTrials(
  values: Hparams,
  strategy: Strategy,
  context: Context,
): Promise<TrialRunner> {
  const { params, inputs, seed, backend, signal, workshop } = context;
  const { model, encoder } = await openLanguageModel(inputs.model);
  const rows = await sampleRows(context);
  const { examples: train } = encodeLanguageRows(rows.train, encoder, values.max_length);
  const { examples: validation } = encodeLanguageRows(rows.validation, encoder, values.max_length);
  const questions = chooseQuestions(rows.validation, params);
  const samples: LanguageTrainOptions['samples'] =
    questions.length === 0
      ? undefined
      : { encoder, questions, maxNewTokens: params.grader_tokens, asksAtStart: false };
  const { adapters } = strategy;
  const weights = adapters?.variant === 'dora' ? await model.readTensors() : new Map<string, never>();
  const adapter =
    adapters === undefined ? undefined : drawLanguageAdapter(model.config, adapters, weights, seed);
  return async (hparams, onIteration) => {
    const { evaluations } = await trainLanguageModel({
      model,
      train,
      validation,
      strategy,
      hparams,
      seed,
      signal,
      workshop,
      onIteration,
      ...(samples === undefined ? {} : { samples }),
      ...(adapter === undefined ? {} : { adapter }),
      ...(backend === undefined ? {} : { backend }),
    });
    const last = evaluations.at(-1);
    const mean = grade(questions, last?.samples, params);
    return { loss: last?.loss ?? Number.POSITIVE_INFINITY, ...(mean === undefined ? {} : { grade: mean }) };
  };
}
