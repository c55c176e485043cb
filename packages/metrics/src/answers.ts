import { countCommon, harmonic, longestCommon, wordsOf } from './words.ts';

/** How near a written answer is to the one that was expected. */
export interface AnswerScores {
  /** 1 where both are the same but for case, punctuation, articles and blanks. */
  readonly exactMatch: number;
  /** Harmonic mean of precision and recall of words. */
  readonly f1: number;
  /** ROUGE-L: the same of the longest common subsequence of words. */
  readonly rougeL: number;
}

/** As the SQuAD evaluation normalises answers (Rajpurkar et al. 2016). */
const normalize = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[\p{P}\p{S}]/gu, '')
    .replace(/\b(?:a|an|the)\b/g, ' ')
    .split(/\s+/)
    .filter((word) => word !== '')
    .join(' ');

/**
 * Scores an answer against the expected one: exact match and F1 of SQuAD (Rajpurkar et al. 2016) and ROUGE-L
 * (Lin 2004), without stemming.
 */
export function scoreAnswer(answer: string, expected: string): AnswerScores {
  const [own, other] = [normalize(answer), normalize(expected)];
  const split = (text: string): readonly string[] => (text === '' ? [] : text.split(' '));
  const [words, wanted] = [wordsOf(answer), wordsOf(expected)];
  return {
    exactMatch: own === other ? 1 : 0,
    f1: harmonic(countCommon(split(own), split(other)), split(own).length, split(other).length),
    rougeL: harmonic(longestCommon(words, wanted), words.length, wanted.length),
  };
}

/** Whether answers are so short on the average that each is right or wrong, rather than more or less alike. */
export function areShortAnswers(expected: readonly string[]): boolean {
  const words = expected.map((text) => text.split(/\s+/).length);
  return words.reduce((sum, count) => sum + count, 0) <= 5 * Math.max(1, words.length);
}
