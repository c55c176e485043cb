/** How a step went, for colours: the ends of steps, and the two states of a run that goes on. */
export type DrawnEnd =
  'succeeded' | 'reused' | 'failed' | 'blocked' | 'cancelled' | 'disabled' | 'running' | 'waiting';

/** In the order of the legend. */
export const drawnEnds: readonly DrawnEnd[] = [
  'succeeded',
  'reused',
  'running',
  'failed',
  'blocked',
  'cancelled',
  'waiting',
  'disabled',
];

/** A sign for those who do not tell the colours apart. */
export const endSigns: Readonly<Record<DrawnEnd, string>> = {
  succeeded: '✓',
  reused: '↺',
  running: '▶',
  failed: '✗',
  blocked: '⊘',
  cancelled: '■',
  waiting: '○',
  disabled: '–',
};

/** Columns of a text: Hangul, kana, Han and the like take two. */
const wide =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|[\u{1f300}-\u{1faff}]/u;

/** How wide one column of each font is, in pixels; a little more than in the fonts that are named. */
export const columnWidth = { mono: 7.9, small: 6.6 } as const;

/** Columns that a text takes. */
export const columnsOf = (text: string): number =>
  [...text].reduce((sum, character) => sum + (wide.test(character) ? 1.7 : 1), 0);

/** A text cut to a number of columns. */
export function cutTo(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  let result = '';
  for (const character of text) {
    if (columnsOf(result) + columnsOf(character) > columns - 1) break;
    result += character;
  }
  return `${result}…`;
}

/** A text inside of XML; signs that XML does not allow are shown as a replacement. */
export const escapeXml = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd');

const light: Readonly<Record<string, string>> = {
  paper: '#ffffff',
  card: '#f7f8fa',
  line: '#c9ced6',
  edge: '#98a1ae',
  ink: '#1c2128',
  soft: '#5c6673',
  succeeded: '#1a7f45',
  reused: '#2563c4',
  running: '#7c3aed',
  failed: '#c62828',
  blocked: '#a8560a',
  cancelled: '#8a6d00',
  waiting: '#7a8492',
  disabled: '#7a8492',
};

const dark: Readonly<Record<string, string>> = {
  paper: '#14171c',
  card: '#1e232a',
  line: '#3c4551',
  edge: '#6b7684',
  ink: '#e8ebef',
  soft: '#a0aab6',
  succeeded: '#4cc38a',
  reused: '#6ea8fe',
  running: '#b794f6',
  failed: '#ff7b72',
  blocked: '#e8a04c',
  cancelled: '#d8bd4a',
  waiting: '#8a95a3',
  disabled: '#8a95a3',
};

const declare = (colors: Readonly<Record<string, string>>): string =>
  Object.entries(colors)
    .map(([name, value]) => `--${name}:${value}`)
    .join(';');

/** The style sheet: colours for light and dark, and nothing that is loaded. */
export const styleSheet = `
svg{${declare(light)};background:var(--paper);font:11px ui-sans-serif,system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
@media (prefers-color-scheme:dark){svg{${declare(dark)}}}
text{fill:var(--soft)}
.title{font-size:16px;font-weight:600;fill:var(--ink)}
.name{font:600 13px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:var(--ink)}
.row{font:11px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:var(--ink)}
.card{fill:var(--card);stroke:var(--line)}
.left-out .card{stroke-dasharray:5 4;fill:none}
.left-out text{opacity:.65}
.edge path{fill:none;stroke:var(--edge);stroke-width:1.4}
.edge.left-out path{stroke-dasharray:4 4}
.paper{fill:var(--paper)}
.edge text{text-anchor:middle}
.edge:hover path{stroke:var(--ink);stroke-width:2}
.edge:hover text{fill:var(--ink)}
.head{fill:var(--edge)}
.end{text-anchor:end}
${drawnEnds.map((end) => `.${end}{fill:var(--${end})}`).join('\n')}
`;
