import { fitLogistic, predictLinear, sparseMatrix } from './logistic.ts';
import type { Matrix } from './logistic.ts';
import { countDocuments, countTerms, inverseFrequency, weighTerms } from './tf-idf.ts';
import type { TermCounts } from './tf-idf.ts';

/** A classifier of words and word pairs: what any fine-tuned model has to beat. */
export interface BagOfWords {
  predict(texts: readonly string[]): readonly (readonly number[])[];
}

const maxColumns = 20_000;

/** Words and pairs of neighbouring words, in lower case. */
function termsOf(text: string): readonly string[] {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+|[$%!?]/gu) ?? [];
  return words.flatMap((word, index) => (index === 0 ? [word] : [word, `${words[index - 1] ?? ''} ${word}`]));
}

/** The terms that stand in at least two texts, the most frequent first, with their inverse document frequency. */
function makeVocabulary(
  documents: readonly TermCounts[],
): ReadonlyMap<string, { readonly column: number; readonly idf: number }> {
  const kept = [...countDocuments(documents)]
    .filter(([, count]) => count >= 2)
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, maxColumns);
  return new Map(
    kept.map(([term, count], column) => [term, { column, idf: inverseFrequency(count, documents.length) }]),
  );
}

function makeRows(documents: readonly TermCounts[], vocabulary: ReturnType<typeof makeVocabulary>): Matrix {
  const rows = documents.map((document) => {
    const entries = weighTerms(document, (term) => vocabulary.get(term)?.idf);
    return {
      columns: Int32Array.from(entries, ([term]) => vocabulary.get(term)?.column ?? 0),
      values: Float64Array.from(entries, ([, value]) => value),
    };
  });
  return sparseMatrix(rows, vocabulary.size);
}

/** Fits TF-IDF features of words and word pairs with logistic regression. */
export function fitBagOfWords(
  texts: readonly string[],
  labels: readonly number[],
  classes: number,
): BagOfWords {
  const documents = texts.map((text) => countTerms(termsOf(text)));
  const vocabulary = makeVocabulary(documents);
  const model = fitLogistic(makeRows(documents, vocabulary), labels, classes, {
    l2: 1 / Math.max(100, texts.length),
    maxIterations: 60,
  });
  return {
    predict: (others) =>
      predictLinear(
        model,
        makeRows(
          others.map((text) => countTerms(termsOf(text))),
          vocabulary,
        ),
      ),
  };
}
