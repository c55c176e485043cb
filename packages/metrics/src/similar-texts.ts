import { countDocuments, countTerms, inverseFrequency, weighTerms } from './tf-idf.ts';
import type { TermCounts } from './tf-idf.ts';

const countWords = (text: string): TermCounts =>
  countTerms(text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []);

/** Finds the texts whose words are most like those of another. */
export class SimilarTexts {
  readonly #texts: readonly ReadonlyMap<string, number>[];
  readonly #idf: ReadonlyMap<string, number>;

  constructor(texts: readonly string[]) {
    const counts = texts.map(countWords);
    this.#idf = new Map(
      [...countDocuments(counts)].map(([word, count]) => [word, inverseFrequency(count, texts.length)]),
    );
    this.#texts = counts.map((words) => new Map(this.#weigh(words)));
  }

  /** The indices of the `count` most similar texts, the most similar last. */
  find(text: string, count: number): readonly number[] {
    const own = this.#weigh(countWords(text));
    const scores = this.#texts.map((words) =>
      own.reduce((sum, [word, weight]) => sum + weight * (words.get(word) ?? 0), 0),
    );
    return [...scores.keys()]
      .sort((left, right) => (scores[right] ?? 0) - (scores[left] ?? 0) || left - right)
      .slice(0, count)
      .reverse();
  }

  #weigh(words: TermCounts): ReturnType<typeof weighTerms> {
    return weighTerms(words, (word) => this.#idf.get(word));
  }
}
