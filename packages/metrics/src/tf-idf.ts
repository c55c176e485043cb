/** Term frequency by inverse document frequency (Salton & Buckley 1988), in scikit-learn's smoothed form. */

/** How often each term stands in a document. */
export type TermCounts = ReadonlyMap<string, number>;

/** Counts the terms of a document. */
export function countTerms(terms: readonly string[]): TermCounts {
  const counts = new Map<string, number>();
  for (const term of terms) counts.set(term, (counts.get(term) ?? 0) + 1);
  return counts;
}

/** In how many documents each term stands. */
export function countDocuments(documents: readonly TermCounts[]): TermCounts {
  return countTerms(documents.flatMap((document) => [...document.keys()]));
}

/** ln((1 + n) / (1 + df)) + 1 for a term in `count` of `total` documents. */
export const inverseFrequency = (count: number, total: number): number =>
  Math.log((1 + total) / (1 + count)) + 1;

/** The weights (1 + ln tf)·idf of a document's terms, together of length 1; terms without an idf are left out. */
export function weighTerms(
  document: TermCounts,
  idfOf: (term: string) => number | undefined,
): readonly (readonly [term: string, weight: number])[] {
  const entries = [...document].flatMap(([term, count]) => {
    const idf = idfOf(term);
    return idf === undefined ? [] : [[term, (1 + Math.log(count)) * idf] as const];
  });
  const norm = Math.sqrt(entries.reduce((sum, [, value]) => sum + value ** 2, 0)) || 1;
  return entries.map(([term, value]) => [term, value / norm] as const);
}
