import { fitLogistic, predictLinear, sparseMatrix } from './logistic.ts';
import type { Matrix } from './logistic.ts';

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

function countTerms(text: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const term of termsOf(text)) counts.set(term, (counts.get(term) ?? 0) + 1);
  return counts;
}

/** The terms that stand in at least two texts, the most frequent first, with their inverse document frequency. */
function makeVocabulary(
  documents: readonly ReadonlyMap<string, number>[],
): ReadonlyMap<string, { readonly column: number; readonly idf: number }> {
  const frequency = new Map<string, number>();
  for (const document of documents)
    for (const term of document.keys()) frequency.set(term, (frequency.get(term) ?? 0) + 1);
  const kept = [...frequency]
    .filter(([, count]) => count >= 2)
    .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))
    .slice(0, maxColumns);
  // scikit-learn's smoothed form: ln((1 + n) / (1 + df)) + 1.
  return new Map(
    kept.map(([term, count], column) => [
      term,
      { column, idf: Math.log((1 + documents.length) / (1 + count)) + 1 },
    ]),
  );
}

function makeRows(
  documents: readonly ReadonlyMap<string, number>[],
  vocabulary: ReturnType<typeof makeVocabulary>,
): Matrix {
  const rows = documents.map((document) => {
    const entries = [...document].flatMap(([term, count]) => {
      const known = vocabulary.get(term);
      return known === undefined ? [] : [[known.column, (1 + Math.log(count)) * known.idf] as const];
    });
    const norm = Math.sqrt(entries.reduce((sum, [, value]) => sum + value ** 2, 0)) || 1;
    return {
      columns: Int32Array.from(entries, ([column]) => column),
      values: Float64Array.from(entries, ([, value]) => value / norm),
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
  const documents = texts.map(countTerms);
  const vocabulary = makeVocabulary(documents);
  const model = fitLogistic(makeRows(documents, vocabulary), labels, classes, {
    l2: 1 / Math.max(100, texts.length),
    maxIterations: 60,
  });
  return { predict: (others) => predictLinear(model, makeRows(others.map(countTerms), vocabulary)) };
}
