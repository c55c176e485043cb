import { escapeHtml as escape } from './escape-html.ts';

const style = `:root { color-scheme: light dark; --line: #8884; --accent: #0a7d6f; }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 42rem; margin: 3rem auto; padding: 0 1rem; }
  h1 { font-size: 1.4rem; margin: 0; }
  p { margin: .3rem 0 1.5rem; opacity: .75; }
  label { font-weight: 600; }
  textarea { font: inherit; width: 100%; min-height: 8rem; padding: .7rem; box-sizing: border-box; border: 1px solid var(--line); border-radius: .5rem; margin: .4rem 0 .8rem; }
  button { font: inherit; font-weight: 600; color: #fff; background: var(--accent); border: 0; border-radius: .5rem; padding: .55rem 1.2rem; cursor: pointer; }
  button:focus-visible, textarea:focus-visible { outline: 3px solid #0a7d6f66; outline-offset: 2px; }
  ol { list-style: none; padding: 0; margin: 1.5rem 0; }
  li { display: grid; grid-template-columns: 9rem 1fr 4rem; gap: .8rem; align-items: center; margin: .35rem 0; }
  .bar { height: .7rem; border-radius: .35rem; background: var(--line); overflow: hidden; }
  .bar i { display: block; height: 100%; background: var(--accent); }
  .score { text-align: right; font-variant-numeric: tabular-nums; }
  .error { color: #c0392b; }`;

const script = `const answer = document.getElementById('answer');
  document.querySelector('form').addEventListener('submit', async (event) => {
    event.preventDefault();
    const response = await fetch('v1/classify', { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ input: document.getElementById('text').value }) });
    const body = await response.json();
    answer.replaceChildren();
    if (!response.ok) {
      const line = document.createElement('p');
      line.className = 'error';
      line.textContent = body.error.message;
      answer.append(line);
      return;
    }
    const list = document.createElement('ol');
    for (const { label, score } of body.data[0].scores.slice(0, 10)) {
      const item = document.createElement('li');
      const name = document.createElement('span');
      name.textContent = label;
      const bar = document.createElement('span');
      bar.className = 'bar';
      const fill = document.createElement('i');
      fill.style.width = 100 * score + '%';
      bar.append(fill);
      const number = document.createElement('span');
      number.className = 'score';
      number.textContent = (100 * score).toFixed(1) + ' %';
      item.append(name, bar, number);
      list.append(item);
    }
    answer.append(list);
  });`;

/** The page at `/`: a field to try the model by hand; no script or style from elsewhere. */
export function formatPage(name: string, labels: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(name)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escape(name)}</h1>
<p>Sorts texts into ${labels.length} classes: ${escape(labels.slice(0, 12).join(', '))}${labels.length > 12 ? ', …' : ''}.</p>
<form>
  <label for="text">Text</label>
  <textarea id="text" required></textarea>
  <button>Classify</button>
</form>
<div id="answer" aria-live="polite"></div>
<script>${script}</script>
</body>
</html>
`;
}
