/** Finds the training examples whose words are most like those of a text. */
export class SimilarExamples {
  readonly #rows: readonly ReadonlyMap<string, number>[];
  readonly #weights: ReadonlyMap<string, number>;

  /** `texts` are what is asked in the examples. */
  constructor(texts: readonly string[]) {
    const counts = texts.map(countWords);
    const inTexts = new Map<string, number>();
    for (const words of counts)
      for (const word of words.keys()) inTexts.set(word, (inTexts.get(word) ?? 0) + 1);
    this.#weights = new Map(
      [...inTexts].map(([word, count]) => [word, Math.log((1 + texts.length) / (1 + count)) + 1]),
    );
    this.#rows = counts.map((words) => this.#normalize(words));
  }

  /** The indices of the `count` most similar examples, the most similar last: models heed what stands near the question. */
  find(text: string, count: number): readonly number[] {
    const own = this.#normalize(countWords(text));
    const scores = this.#rows.map((words) => {
      let sum = 0;
      for (const [word, weight] of own) sum += weight * (words.get(word) ?? 0);
      return sum;
    });
    return [...scores.keys()]
      .sort((left, right) => (scores[right] ?? 0) - (scores[left] ?? 0) || left - right)
      .slice(0, count)
      .reverse();
  }

  /** Term frequency by inverse document frequency (Salton & Buckley 1988), of length 1. */
  #normalize(words: ReadonlyMap<string, number>): ReadonlyMap<string, number> {
    const weighted = [...words].map(
      ([word, count]) => [word, (1 + Math.log(count)) * (this.#weights.get(word) ?? 0)] as const,
    );
    const length = Math.sqrt(weighted.reduce((sum, [, weight]) => sum + weight ** 2, 0));
    return new Map(weighted.map(([word, weight]) => [word, length === 0 ? 0 : weight / length]));
  }
}

function countWords(text: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [])
    counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}
