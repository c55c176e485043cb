import type { RawRow, RowPlace } from './row.ts';

/** Labels that differ in case, blanks or punctuation only, with a row of each. */
export interface LabelTwins {
  readonly labels: readonly { readonly label: string; readonly rows: number; readonly first: RowPlace }[];
}

interface LabelUse {
  readonly label: string;
  rows: number;
  readonly first: RowPlace;
}

/** Every label with its count and first row, in code-unit order. */
export function countLabels(rows: readonly RawRow[]): readonly LabelUse[] {
  const uses = new Map<string, LabelUse>();
  for (const { label, place } of rows) {
    if (label === undefined) continue;
    const use = uses.get(label);
    if (use === undefined) uses.set(label, { label, rows: 1, first: place });
    else use.rows++;
  }
  return [...uses.values()].sort((left, right) => (left.label < right.label ? -1 : 1));
}

/** Finds "Cat" and "cat", or "top up" and "top_up": two classes that are meant to be one. */
export function findLabelTwins(rows: readonly RawRow[]): readonly LabelTwins[] {
  const byKey = new Map<string, LabelUse[]>();
  for (const use of countLabels(rows)) {
    const key = use.label
      .normalize('NFKC')
      .toLowerCase()
      .replace(/[\s_.-]+/g, ' ')
      .trim();
    byKey.set(key, [...(byKey.get(key) ?? []), use]);
  }
  return [...byKey.values()].filter((labels) => labels.length > 1).map((labels) => ({ labels }));
}

/** Labels that one split has and another lacks, with the rows that have them. */
export interface LabelGap {
  readonly label: string;
  /** The split that has the label. */
  readonly inSplit: string;
  /** The split that lacks it. */
  readonly notIn: string;
  readonly rows: readonly RawRow[];
}

/** Labels that a judged split has and training lacks: no model can learn them. */
export function findUnlearnableLabels(
  rows: readonly RawRow[],
  splits: readonly string[],
): readonly LabelGap[] {
  const trained = new Set(rows.flatMap((row, index) => (splits[index] === 'train' ? [row.label] : [])));
  const gaps = new Map<string, { label: string; inSplit: string; notIn: string; rows: RawRow[] }>();
  rows.forEach((row, index) => {
    const split = splits[index] ?? 'train';
    if (split === 'train' || row.label === undefined || trained.has(row.label)) return;
    const key = `${split}\0${row.label}`;
    const gap = gaps.get(key);
    if (gap === undefined) gaps.set(key, { label: row.label, inSplit: split, notIn: 'train', rows: [row] });
    else gap.rows.push(row);
  });
  return [...gaps.values()];
}
