import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dataset } from '@joyul/data';
import { mean, percent, scoreAnswer } from '@joyul/metrics';
import { nameGrader } from '@joyul/metrics/graders';
import type { Grade } from '@joyul/metrics/graders';
import { gradeAnswers, measurePrompted, openAnswerer, questionsOf } from '@joyul/training';
import type { Answer, LanguageEvaluation, MeasuredRows, PromptSpace } from '@joyul/training';
import { adviseLanguage } from './advise-language.ts';
import type { Context } from './context.ts';
import { describeChanges, measureChanges, tellChanges } from './forgetting.ts';
import { describeProbes, measureProbes } from './probe.ts';
import { readTraining } from './training-files.ts';

const shorten = (text: string): string =>
  (text.length > 120 ? `${text.slice(0, 117)}...` : text).replaceAll('\n', ' ');

/** The model's answers to the validation questions, asked as it was tuned to be. */
async function answer(
  dataset: Dataset,
  prompts: PromptSpace | undefined,
  { params, inputs, backend, env, signal, emit }: Context,
): Promise<readonly Answer[]> {
  const questions = questionsOf(await dataset.rows('validation')).slice(0, params.generations);
  if (questions.length === 0) return [];
  const answerer = await openAnswerer(inputs.trained, {
    env,
    signal,
    ...(prompts === undefined ? {} : { context: prompts.context }),
    ...(backend === undefined ? {} : { backend }),
  });
  try {
    return await answerer.answer(questions, {
      maxNewTokens: params.max_new_tokens,
      onProgress: (done) => {
        emit({ type: 'progress', activity: 'answering', done, total: questions.length, unit: 'questions' });
      },
    });
  } finally {
    answerer.dispose();
  }
}

/** Shares and means of the answers; empty where there are none. */
function judge(answers: readonly Answer[], grades: readonly Grade[] | undefined): Quality | undefined {
  if (answers.length === 0) return undefined;
  const scores = answers.map(({ text, expected }) => scoreAnswer(text, expected));
  return {
    answers: answers.length,
    exact_match: mean(scores.map(({ exactMatch }) => exactMatch)),
    f1: mean(scores.map(({ f1 }) => f1)),
    rouge_l: mean(scores.map(({ rougeL }) => rougeL)),
    ended: mean(answers.map(({ ending }) => Number(ending === 'stop'))),
    ...(grades === undefined ? {} : summarize(grades)),
  };
}

/** How good answers are, as metrics.json has it. */
interface Quality {
  readonly answers: number;
  readonly exact_match: number;
  readonly f1: number;
  readonly rouge_l: number;
  /** Share that the model itself ended. */
  readonly ended: number;
  /** The mean of what the grader gives; absent where there is none. */
  readonly grade?: number;
  /** Share that passes; absent where the grader has no threshold. */
  readonly grade_passed?: number;
}

function summarize(grades: readonly Grade[]): Pick<Quality, 'grade' | 'grade_passed'> {
  const passes = grades.flatMap(({ isPassed }) => isPassed ?? []);
  return {
    grade: mean(grades.map(({ score }) => score)),
    ...(passes.length === 0 ? {} : { grade_passed: mean(passes.map(Number)) }),
  };
}

/** What the grader says of the answers, in words. */
function describeGrades({ params, emit }: Context, grades: readonly Grade[] | undefined): string {
  const { grader } = params;
  if (grader === undefined || grades === undefined || grades.length === 0) return '';
  const unknown = grades.filter(({ isDefined }) => !isDefined).length;
  if (unknown > 0)
    emit({
      type: 'finding',
      weight: 'warning',
      text: `The formula of the grader gives no number for ${unknown} of ${grades.length} answers; these count as 0.`,
    });
  const { grade = 0, grade_passed: passed } = summarize(grades);
  // Whatever gives 1 or 0 says the same twice.
  const share = passed === undefined || passed === grade ? '' : `, and ${percent(passed)} pass`;
  return ` Grade (${nameGrader(grader)}) ${grade.toFixed(3)}${share}.`;
}

/** What the model finds new in the rows, as metrics.json has it; nothing where its weights are not here. */
const describeLoss = (measured: MeasuredRows | undefined): Readonly<Record<string, number | string>> =>
  measured === undefined
    ? {}
    : {
        encoder: measured.encoder,
        loss: measured.loss,
        perplexity: Math.exp(measured.loss),
        bits_per_byte: (measured.loss * measured.targets) / Math.LN2 / Math.max(1, measured.targetBytes),
        tokens: measured.targets,
      };

const tellLoss = (measured: MeasuredRows | undefined): readonly string[] =>
  measured === undefined
    ? []
    : [
        `Validation loss ${measured.loss.toFixed(3)}, perplexity ${Math.exp(measured.loss).toFixed(2)} on ${measured.targets} tokens.`,
      ];

/** Shows the answers that are furthest from what was expected. */
function tellWorst(
  { params, emit }: Context,
  answers: readonly Answer[],
  grades: readonly Grade[] | undefined,
): void {
  const worst = answers
    .map((item, at) => ({ item, score: grades?.[at]?.score ?? scoreAnswer(item.text, item.expected).rougeL }))
    .sort((left, right) => left.score - right.score)
    .slice(0, params.shown_errors);
  if (worst.length === 0) return;
  emit({
    type: 'table',
    title:
      grades === undefined
        ? 'Answers that are furthest from what was expected'
        : 'Answers of the lowest grades',
    columns: ['asked', 'expected', 'answered', grades === undefined ? 'ROUGE-L' : 'grade'],
    rows: worst.map(({ item, score }) => [
      shorten(item.messages.at(-1)?.content ?? ''),
      shorten(item.expected),
      shorten(item.text),
      Number(score.toFixed(2)),
    ]),
  });
}

/** Measures a language model on the validation split, shows what it says, and advises. */
export async function evaluateLanguage(dataset: Dataset, context: Context): Promise<void> {
  const { params, inputs, outputs, backend, emit } = context;
  const { hparams, prompts, evaluations, trainLoss, aside } = await readTraining<LanguageEvaluation>(
    inputs.trained,
  );
  const rows = await dataset.rows('validation');
  emit({ type: 'progress', activity: 'measuring', done: 0 });
  const measured = await measurePrompted(inputs.trained, rows, {
    maxLength: prompts?.context ?? hparams.max_length,
    ...(backend === undefined ? {} : { backend }),
  });
  const answers = await answer(dataset, prompts, context);
  const grades = params.grader === undefined ? undefined : gradeAnswers(params.grader, answers);
  const quality = judge(answers, grades);
  const advice = adviseLanguage({
    trainLoss,
    validationLosses: evaluations.map((evaluation) => evaluation.loss),
    ended: quality?.ended,
    epochs: hparams.epochs,
    learningRate: hparams.learning_rate,
    maxNewTokens: params.max_new_tokens,
  });
  // A prompt changes no weight, so nothing is forgotten.
  const changes =
    prompts === undefined
      ? await measureChanges(dataset, { maxLength: hparams.max_length, aside: aside ?? [] }, context)
      : [];
  const probes =
    prompts === undefined ? await measureProbes(dataset, hparams.max_length, context) : undefined;
  const content = {
    version: 1,
    split: 'validation',
    ...describeLoss(measured),
    ...quality,
    ...describeChanges(changes),
    ...(probes === undefined ? {} : { probe: probes }),
    advice,
  };
  await writeFile(join(outputs.metrics, 'metrics.json'), `${JSON.stringify(content, null, 2)}\n`);
  const lines = answers.map(({ row, text, expected }, at) =>
    JSON.stringify({ id: row.id, expected, answer: text, grade: grades?.[at]?.score }),
  );
  await writeFile(join(outputs.metrics, 'answers.jsonl'), lines.map((line) => `${line}\n`).join(''));
  const said =
    quality === undefined
      ? ''
      : `Of ${quality.answers} answers ${percent(quality.exact_match)} are exactly as expected; F1 ${quality.f1.toFixed(3)}, ROUGE-L ${quality.rouge_l.toFixed(3)}.`;
  emit({
    type: 'finding',
    weight: 'headline',
    text: [...tellLoss(measured), `${said}${describeGrades(context, grades)}`].join(' ').trim(),
  });
  for (const { text } of advice) emit({ type: 'finding', text });
  tellChanges(context, changes);
  if (probes !== undefined) emit({ type: 'finding', text: describeProbes(probes) });
  tellWorst(context, answers, grades);
}
