import { areShortAnswers } from '@joyul/metrics';
import type { Question } from '@joyul/training';

/** Different answers that can still be listed in an instruction. */
const mostListed = 60;

const wordCount = (text: string): number => text.trim().split(/\s+/).length;

/** The middle of some numbers; 0 of none. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}

/** About how many words, in a number that people would say. */
const roundWords = (count: number): number => (count < 10 ? count : Math.round(count / 10) * 10);

/**
 * Instructions that the expected answers suggest: to choose among them where there are few, and otherwise to be as long
 * as they are.
 */
export function formInstructions(questions: readonly Pick<Question, 'expected'>[]): readonly string[] {
  const answers = questions.map(({ expected }) => expected.trim());
  if (answers.length === 0) return [];
  const distinct = [...new Set(answers)].sort();
  if (!areShortAnswers(answers))
    return [
      'Answer helpfully and to the point.',
      `Answer in about ${roundWords(median(answers.map(wordCount)))} words, without an introduction.`,
    ];
  // As many answers as questions are no choice.
  if (distinct.length > mostListed || 2 * distinct.length > answers.length)
    return ['Answer in as few words as possible, without an explanation.'];
  const list = distinct.join(', ');
  return [
    `Answer with one of these and nothing else: ${list}.`,
    `You sort what the user writes. The possible answers are: ${list}. Reply with the one that fits best, without an explanation.`,
  ];
}
