/** Words as ROUGE's reference implementation has them: runs of letters and digits, in lower case. */
export const wordsOf = (text: string): readonly string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];

/** Harmonic mean of precision and recall; two empty answers are equal. */
export function harmonic(common: number, answered: number, expected: number): number {
  if (answered === 0 || expected === 0) return answered === expected ? 1 : 0;
  return (2 * common) / (answered + expected);
}

/** How many of the items of `left` are also in `right`, each as often as it is in both. */
export function countCommon(left: readonly string[], right: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const word of right) counts.set(word, (counts.get(word) ?? 0) + 1);
  return left.filter((word) => {
    const count = counts.get(word) ?? 0;
    if (count > 0) counts.set(word, count - 1);
    return count > 0;
  }).length;
}

/** The length of the longest common subsequence. */
export function longestCommon(left: readonly string[], right: readonly string[]): number {
  let lengths = new Int32Array(right.length + 1);
  for (const word of left) {
    const next = new Int32Array(right.length + 1);
    for (const [at, other] of right.entries())
      next[at + 1] = word === other ? (lengths[at] ?? 0) + 1 : Math.max(next[at] ?? 0, lengths[at + 1] ?? 0);
    lengths = next;
  }
  return lengths[right.length] ?? 0;
}
