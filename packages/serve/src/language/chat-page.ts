import { escapeHtml } from '../escape-html.ts';

const style = `:root { color-scheme: light dark; --page: light-dark(#fbfaf7, #16181a); --card: light-dark(#fff, #1f2326); --ink: light-dark(#1d2326, #e8e6e1);
    --soft: light-dark(#5c666b, #9aa4a8); --line: light-dark(#e2ded5, #333a3e); --accent: light-dark(#0a7d6f, #3fbfae); --own: light-dark(#dff2ee, #173b37); --bad: light-dark(#b3261e, #ff8a80); }
  * { box-sizing: border-box; }
  body { font: 16px/1.55 system-ui, sans-serif; color: var(--ink); background: var(--page); margin: 0; height: 100dvh; display: grid; grid-template-rows: auto 1fr auto; }
  header, main, form { width: 100%; max-width: 46rem; margin: 0 auto; padding: 0 1.25rem; }
  header { display: flex; gap: .5rem 1rem; align-items: baseline; flex-wrap: wrap; padding-top: 1rem; padding-bottom: .8rem; border-bottom: 1px solid var(--line); }
  h1 { font-size: 1.05rem; margin: 0; overflow-wrap: anywhere; }
  header label { color: var(--soft); font-size: .85rem; }
  header input { font: inherit; width: 4.2rem; color: inherit; background: var(--card); border: 1px solid var(--line); border-radius: .4rem; padding: .15rem .4rem; }
  #fresh { margin-left: auto; }
  main { overflow-y: auto; padding-top: 1.2rem; padding-bottom: 1.2rem; display: flex; flex-direction: column; gap: .9rem; scrollbar-gutter: stable; }
  .hello { margin: auto; text-align: center; color: var(--soft); max-width: 30rem; }
  .hello p { margin: .3rem 0; }
  .turn { max-width: 88%; padding: .6rem .9rem; border-radius: .9rem; white-space: pre-wrap; overflow-wrap: anywhere; background: var(--card); border: 1px solid var(--line); align-self: flex-start; border-bottom-left-radius: .2rem; }
  .turn.user { align-self: flex-end; background: var(--own); border-color: transparent; border-radius: .9rem .9rem .2rem .9rem; }
  .turn.waiting::after { content: '▍'; color: var(--accent); animation: blink 1s steps(2) infinite; }
  @keyframes blink { 50% { opacity: 0; } }
  @media (prefers-reduced-motion: reduce) { .turn.waiting::after { animation: none; } }
  .turn, .facts { scroll-margin-bottom: 1rem; }
  .facts { color: var(--soft); font-size: .8rem; margin: -.6rem 0 0 .3rem; font-variant-numeric: tabular-nums; }
  .error { color: var(--bad); }
  form { padding-bottom: 1.1rem; }
  .field { display: flex; gap: .6rem; align-items: flex-end; background: var(--card); border: 1px solid var(--line); border-radius: .9rem; padding: .5rem .5rem .5rem .9rem; }
  .field:focus-within { border-color: var(--accent); }
  textarea { font: inherit; color: inherit; background: none; border: 0; outline: 0; resize: none; flex: 1; padding: .25rem 0; max-height: 11rem; field-sizing: content; }
  button { font: inherit; font-weight: 600; border-radius: .6rem; padding: .35rem .9rem; cursor: pointer; border: 1px solid transparent; }
  #send { color: light-dark(#fff, #10211f); background: var(--accent); }
  #fresh { color: var(--soft); background: none; border-color: var(--line); font-weight: 400; font-size: .85rem; padding: .2rem .7rem; }
  button:focus-visible, input:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }`;

const script = `const $ = (id) => document.getElementById(id);
  const hello = $('turns').firstElementChild;
  let messages = [];
  let running;
  let key;
  function show(role, text) {
    const turn = document.createElement('div');
    turn.className = 'turn ' + role;
    turn.textContent = text;
    $('turns').append(turn);
    turn.scrollIntoView({ block: 'end' });
    return turn;
  }
  function tell(text, kind) {
    const line = document.createElement('p');
    line.className = 'facts ' + kind;
    line.textContent = text;
    $('turns').append(line);
    line.scrollIntoView({ block: 'end' });
  }
  async function request(body, signal) {
    const headers = { 'content-type': 'application/json' };
    if (key) headers.authorization = 'Bearer ' + key;
    const response = await fetch('v1/chat/completions', { method: 'POST', headers, body: JSON.stringify(body), signal });
    if (response.status === 401 && !key && (key = window.prompt('The key of this server'))) return request(body, signal);
    return response;
  }
  async function* read(response) {
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of response.body) {
      const events = (rest + decoder.decode(chunk, { stream: true })).split('\\n\\n');
      rest = events.pop();
      for (const event of events) if (event.startsWith('data: {')) yield JSON.parse(event.slice(6));
    }
  }
  async function answer() {
    const turn = show('assistant waiting', '');
    running = new AbortController();
    $('send').textContent = 'Stop';
    let text = '', usage, finish, error;
    const start = performance.now();
    try {
      const response = await request({ messages, stream: true, stream_options: { include_usage: true }, temperature: Number($('temperature').value), max_tokens: Number($('most').value) }, running.signal);
      if (!response.ok) throw new Error((await response.json()).error.message);
      for await (const part of read(response)) {
        if (part.error) throw new Error(part.error.message);
        if (part.usage) usage = part.usage;
        const choice = part.choices[0];
        if (!choice) continue;
        if (choice.finish_reason) finish = choice.finish_reason;
        const isAtEnd = $('turns').scrollHeight - $('turns').scrollTop - $('turns').clientHeight < 80;
        turn.textContent = text += choice.delta.content ?? '';
        if (isAtEnd) turn.scrollIntoView({ block: 'end' });
      }
    } catch (caught) {
      if (caught.name !== 'AbortError') error = caught;
    }
    turn.classList.remove('waiting');
    $('send').textContent = 'Send';
    running = undefined;
    if (text === '') turn.remove();
    if (text !== '') messages.push({ role: 'assistant', content: text });
    else if (error) $('text').value ||= messages.pop().content;
    const seconds = (performance.now() - start) / 1000;
    if (error) tell(error.message, 'error');
    else if (usage) tell(usage.completion_tokens + ' tokens, ' + (usage.completion_tokens / seconds).toFixed(1) + ' a second' + (finish === 'length' ? '; cut off, since there was no more room' : ''), '');
    else tell('stopped', '');
  }
  $('ask').addEventListener('submit', (event) => {
    event.preventDefault();
    if (running) return running.abort();
    const text = $('text').value.trim();
    if (text === '') return;
    hello.remove();
    $('text').value = '';
    messages.push({ role: 'user', content: text });
    show('user', text);
    void answer();
  });
  $('text').addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    if (!running) $('ask').requestSubmit();
  });
  $('fresh').addEventListener('click', () => {
    running?.abort();
    messages = [];
    $('turns').replaceChildren(hello);
    $('text').focus();
  });`;

/** The page at `/` of a language model: a chat to try it by hand; no script or style from elsewhere. */
export function formatChatPage(
  name: string,
  { context, instruction }: { readonly context: number; readonly instruction: string },
): string {
  const told =
    instruction === '' ? '' : `<p>It is asked with the instruction “${escapeHtml(instruction)}”.</p>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(name)}</title>
<style>${style}</style>
</head>
<body>
<header>
  <h1>${escapeHtml(name)}</h1>
  <label>temperature <input id="temperature" type="number" min="0" max="2" step="0.1" value="0.7"></label>
  <label>at most <input id="most" type="number" min="1" max="${context}" value="${Math.min(256, context)}"> tokens</label>
  <button id="fresh" type="button">New chat</button>
</header>
<main id="turns" aria-live="polite">
  <div class="hello"><p>Say something to ${escapeHtml(name)}.</p>${told}<p>Enter sends, Shift+Enter begins a new line. What you write stays on this machine's server.</p></div>
</main>
<form id="ask">
  <div class="field">
    <textarea id="text" rows="1" aria-label="Message" placeholder="Message" autofocus></textarea>
    <button id="send">Send</button>
  </div>
</form>
<script>${script}</script>
</body>
</html>
`;
}
