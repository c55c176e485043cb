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

/** Words as ROUGE's reference implementation has them: runs of letters and digits, in lower case. */
const wordsOf = (text: string): readonly string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

/** Harmonic mean of precision and recall; two empty answers are equal. */
function harmonic(common: number, answered: number, expected: number): number {
  if (answered === 0 || expected === 0) return answered === expected ? 1 : 0;
  return (2 * common) / (answered + expected);
}

function countCommon(left: readonly string[], right: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const word of right) counts.set(word, (counts.get(word) ?? 0) + 1);
  return left.filter((word) => {
    const count = counts.get(word) ?? 0;
    if (count > 0) counts.set(word, count - 1);
    return count > 0;
  }).length;
}

/** The length of the longest common subsequence. */
function longestCommon(left: readonly string[], right: readonly string[]): number {
  let lengths = new Int32Array(right.length + 1);
  for (const word of left) {
    const next = new Int32Array(right.length + 1);
    for (const [at, other] of right.entries())
      next[at + 1] = word === other ? (lengths[at] ?? 0) + 1 : Math.max(next[at] ?? 0, lengths[at + 1] ?? 0);
    lengths = next;
  }
  return lengths[right.length] ?? 0;
}

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
