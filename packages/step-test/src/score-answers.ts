import { scoreAnswer } from '@joyul/metrics';
import type { AnswerScores } from '@joyul/metrics';
import { gradeAnswers } from '@joyul/training';
import type { Answer } from '@joyul/training';
import type { Context } from './context.ts';

/** How good an answer is, by each metric. */
export interface Scores extends AnswerScores {
  /** What the grader says; 0 where there is none. */
  readonly grade: number;
}

/** Scores answers by all metrics, and by the grader where there is one. */
export function scoreAnswers(
  answers: readonly Answer[],
  { grader }: Pick<Context['params'], 'grader'>,
): readonly Scores[] {
  const grades = grader === undefined ? [] : gradeAnswers(grader, answers);
  return answers.map(({ text, expected }, at) => ({
    ...scoreAnswer(text, expected),
    grade: grades[at]?.score ?? 0,
  }));
}
