/** What removing repeated lines did. */
export interface RepeatedLines {
  readonly texts: readonly string[];
  /** The lines that were taken out, the most frequent first. */
  readonly removed: readonly { readonly line: string; readonly texts: number }[];
  /** How many texts lost a line. */
  readonly changed: number;
}

const minLength = 12;

/**
 * Takes out whole lines that stand in many texts: footers of mailing lists, advertisements of providers,
 * legal notes. They tell where a text came from and not what it says, so a model that reads them scores
 * well here and fails elsewhere.
 *
 * A line goes when at least `minTexts` different texts have it (the default: 0.4 % of them, at least 15).
 */
export function removeRepeatedLines(
  texts: readonly string[],
  minTexts = Math.max(15, Math.ceil(texts.length * 0.004)),
): RepeatedLines {
  const counts = new Map<string, number>();
  const keyOf = (line: string): string =>
    line
      .toLowerCase()
      .replace(/[\s\d]+/g, ' ')
      .trim();
  const lines = texts.map((text) => text.split('\n'));
  for (const list of lines)
    for (const key of new Set(list.map(keyOf)))
      if (key.length >= minLength) counts.set(key, (counts.get(key) ?? 0) + 1);
  const repeated = new Map([...counts].filter(([, count]) => count >= minTexts));
  const examples = new Map<string, string>();
  let changed = 0;
  const cleaned = lines.map((list, index) => {
    const kept = list.filter((line) => {
      const key = keyOf(line);
      if (!repeated.has(key)) return true;
      if (!examples.has(key)) examples.set(key, line.trim());
      return false;
    });
    if (kept.length === list.length) return texts[index] ?? '';
    changed++;
    return kept.join('\n');
  });
  const removed = [...repeated]
    .map(([key, count]) => ({ line: examples.get(key) ?? key, texts: count }))
    .sort((a, b) => b.texts - a.texts || (a.line < b.line ? -1 : 1));
  return { texts: cleaned, removed, changed };
}
