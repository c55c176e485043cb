import { makeGrader } from '@joyul/metrics/graders';
import type { Grade, GraderSpec } from '@joyul/metrics/graders';
import type { Answer } from './answer-rows.ts';

/** What a grader says of answers; `item` of its templates is the row with the last turn that was asked. */
export function gradeAnswers(
  spec: GraderSpec,
  answers: readonly Pick<Answer, 'row' | 'messages' | 'expected' | 'text'>[],
): readonly Grade[] {
  const grade = makeGrader(spec);
  return answers.map(({ row, messages, expected, text }) => {
    const question = messages.at(-1)?.content ?? '';
    return grade({ item: { reference_answer: expected, question, id: row.id }, output: text });
  });
}
