import type { Span } from '@joyul/plugin-api';

/** A text without colours: what is marked stands between ⟦ and ⟧. */
export function markPassage(spans: readonly Span[]): string {
  const shown = spans.filter(({ text }) => text !== '');
  return shown
    .map(({ text, isMarked = false }, at) => {
      const begins = isMarked && shown[at - 1]?.isMarked !== true;
      const ends = isMarked && shown[at + 1]?.isMarked !== true;
      return `${begins ? '⟦' : ''}${text}${ends ? '⟧' : ''}`;
    })
    .join('');
}
