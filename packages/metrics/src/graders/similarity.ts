import { countCommon, harmonic, longestCommon, wordsOf } from '../words.ts';

/** Words and marks, as BLEU counts them; upper and lower case differ. */
const tokensOf = (text: string): readonly string[] => text.match(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? [];

const ngramsOf = (tokens: readonly string[], length: number): readonly string[] =>
  Array.from({ length: Math.max(0, tokens.length - length + 1) }, (_, at) =>
    tokens.slice(at, at + length).join(' '),
  );

const lengths = [1, 2, 3, 4];

/** ROUGE-N (Lin 2004): the harmonic mean of precision and recall of n-grams of words, without stemming. */
function rougeN(answer: string, reference: string, length: number): number {
  const [own, wanted] = [ngramsOf(wordsOf(answer), length), ngramsOf(wordsOf(reference), length)];
  const total = own.length + wanted.length;
  return total === 0 ? 0 : (2 * countCommon(own, wanted)) / total;
}

function rougeL(answer: string, reference: string): number {
  const [own, wanted] = [wordsOf(answer), wordsOf(reference)];
  return harmonic(longestCommon(own, wanted), own.length, wanted.length);
}

/**
 * BLEU-4 (Papineni et al. 2002) of one sentence: min(1, e^(1 − r/c)) · (p₁·p₂·p₃·p₄)^¼, where one is added to
 * numerator and denominator of p₂, p₃ and p₄ (Lin and Och 2004), since short answers have few of them.
 */
function bleu(answer: string, reference: string): number {
  const [own, wanted] = [tokensOf(answer), tokensOf(reference)];
  const precisions = lengths.map((length) => {
    const grams = ngramsOf(own, length);
    const added = length === 1 ? 0 : 1;
    return (countCommon(grams, ngramsOf(wanted, length)) + added) / (Math.max(1, grams.length) + added);
  });
  if (precisions[0] === 0) return 0;
  const brevity = own.length > wanted.length ? 1 : Math.exp(1 - wanted.length / own.length);
  const logs = precisions.reduce((sum, precision) => sum + Math.log(precision), 0);
  return brevity * Math.exp(logs / lengths.length);
}

/** Google BLEU (Wu et al. 2016): of all n-grams up to four the lesser of precision and recall. */
function gleu(answer: string, reference: string): number {
  const [own, wanted] = [tokensOf(answer), tokensOf(reference)];
  const count = (of: (length: number) => number): number =>
    lengths.reduce((sum, length) => sum + of(length), 0);
  const common = count((length) => countCommon(ngramsOf(own, length), ngramsOf(wanted, length)));
  const most = Math.max(
    count((length) => ngramsOf(own, length).length),
    count((length) => ngramsOf(wanted, length).length),
  );
  return most === 0 ? 0 : common / most;
}

/** Of all characters, how many are in the longest common subsequence: rapidfuzz's `ratio`, from 0 to 1. */
function fuzzyMatch(answer: string, reference: string): number {
  const [own, wanted] = [[...answer], [...reference]];
  return harmonic(longestCommon(own, wanted), own.length, wanted.length);
}

/** How alike an answer and a reference are, from 0 to 1, by the names of OpenAI's graders. */
export const similarities = {
  fuzzy_match: fuzzyMatch,
  bleu,
  gleu,
  rouge_1: (answer: string, reference: string) => rougeN(answer, reference, 1),
  rouge_2: (answer: string, reference: string) => rougeN(answer, reference, 2),
  rouge_3: (answer: string, reference: string) => rougeN(answer, reference, 3),
  rouge_4: (answer: string, reference: string) => rougeN(answer, reference, 4),
  rouge_5: (answer: string, reference: string) => rougeN(answer, reference, 5),
  rouge_l: rougeL,
} as const;

/** Why a metric that OpenAI has cannot be had here. */
export const refusedSimilarities = {
  meteor: 'it looks synonyms up in WordNet, an English dictionary that is not part of Joyul',
  cosine: 'it compares embeddings of a model that OpenAI serves',
} as const;
