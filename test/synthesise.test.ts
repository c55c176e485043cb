import { Rig, findingsOf, makeChatRows, writeTinyLlama } from '@joyul/testing';
import type { Finished } from '@joyul/testing';
import { expect, test } from 'vitest';

const ask = { role: 'user', content: 'Write a question, and its answer.' } as const;
const pairOf = (number: number): string =>
  `Question: n${number}\nAnswer: ${number % 2 === 0 ? 'even' : 'odd'}`;

/** Conversations from which a tiny model learns to write rows: it is shown one and writes another. */
const writing = Array.from({ length: 240 }, (_, at) => {
  const [shown, written] = [(at * 37) % 100, (at * 53 + 7) % 100];
  const messages = [
    ask,
    { role: 'assistant', content: pairOf(shown), weight: 0 },
    ask,
    { role: 'assistant', content: pairOf(written) },
  ];
  return JSON.stringify({ messages });
});

const steps = `
name: synthesis
params: { source: chats.jsonl, from: auto }
steps:
  lessons:
    uses: prepare
    with: { source: writing.jsonl, deduplicate: 'off', split: { validation: 0.1, test: 0 } }
  select:
    uses: select
    with: { candidates: [{ name: tiny, source: ./tiny }] }
    inputs: { dataset: lessons.dataset }
  strategy:
    uses: strategy
    with: { method: full }
    inputs: { dataset: lessons.dataset, model: select.model }
  init:
    uses: init
    inputs: { dataset: lessons.dataset, model: select.model, strategy: strategy.strategy }
  hparams:
    uses: hparams
    with: { learning_rate: 0.01, epochs: 8, batch_size: 16, max_length: 256 }
    inputs: { dataset: lessons.dataset, model: select.model, strategy: strategy.strategy }
  writer:
    uses: train
    inputs: { dataset: lessons.dataset, weights: init.weights, strategy: strategy.strategy, hparams: hparams.hparams }
  prepare:
    uses: prepare
    with: { source: "\${{ params.source }}", split: { validation: 0.2, test: 0.2 } }
  synthesise:
    uses: synthesise
    with: { from: "\${{ params.from }}", rows: 8, attempts: 48, shots: 1, samples: 0, max_rouge: 1, temperature: 1, max_new_tokens: 40, context: 256, max_perplexity: 1000000 }
    inputs: { dataset: prepare.dataset, model: select.model, trained: writer.trained }
  count:
    uses: command
    with: { run: 'cp $JOYUL_INPUT_0/train.jsonl out.jsonl', outputs: { rows: out.jsonl } }
    inputs: { inputs: [synthesise.dataset] }
`;

async function createSynthesis(): Promise<Rig> {
  const rig = await Rig.create();
  await rig.write({
    'pipeline.yaml': steps,
    'writing.jsonl': writing.join('\n'),
    'chats.jsonl': makeChatRows(40),
  });
  await writeTinyLlama(rig.path('tiny'));
  return rig;
}

const failureOf = (result: Finished): unknown =>
  result.events.find((event) => event.kind === 'attempt-failed');

test('a model writes rows of its own, and each that is dropped is counted with its reason', async () => {
  await using rig = await createSynthesis();
  const result = await rig.run();
  expect([result.exitCode, result.stderr]).toEqual([0, '']);
  const found = findingsOf(result, 'synthesise');
  const [, kept = '0', all = '0'] =
    /Kept (\d+) of (\d+) rows that the model wrote, beside 24 /.exec(found) ?? [];
  expect([Number(kept) > 0, all]).toEqual([true, '48']);
  const counts = [...found.matchAll(/\["[a-z ]+",(\d+)\]/g)].map(([, count]) => Number(count));
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(48 - Number(kept));
  const rows = (await rig.read('out.jsonl')).trim().split('\n');
  const marked = rows.filter((row) => row.includes('"origin":"generated"'));
  expect([rows.length, marked.length]).toEqual([24 + Number(kept), Number(kept)]);
  expect(marked[0]).toMatch(/"id":"generated-[0-9a-f]{16}".*"content":"n\d+"/);
});

test('there is nothing to write from where unlabelled texts are asked for and missing', async () => {
  await using rig = await createSynthesis();
  await rig.write({ 'pipeline.yaml': steps.replace(', trained: writer.trained', '') });
  const result = await rig.run('-s', 'from=texts', '--until', 'synthesise');
  expect(failureOf(result)).toMatchObject({
    failure: { code: 'NO_ROWS', message: 'The data set has no unlabelled texts to write from.' },
  });
});
