import { Rig, findingsOf, makeChatRows, writeTinyLlama } from '@joyul/testing';
import { expect, test } from 'vitest';

const pipeline = `
name: numbers
steps:
  prepare:
    uses: prepare
    with: { source: chats.jsonl, split: { validation: 0.2, test: 0.2 } }
  select:
    uses: select
    with: { candidates: [{ name: tiny, source: ./tiny }] }
    inputs: { dataset: prepare.dataset }
  strategy:
    uses: strategy
    matrix: &ways { method: [lora, repurpose, prompt] }
    with: { method: "\${{ matrix.method }}", rank: 8, alpha: 16, blocks: 'top:1' }
    inputs: { dataset: prepare.dataset, model: select.model }
  hparams:
    uses: hparams
    matrix: *ways
    with: { learning_rate: 0.01, epochs: 3, shots: [1], prompt_questions: 4, max_new_tokens: 6, context: 128 }
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }
  init:
    uses: init
    matrix: *ways
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }
  train:
    uses: train
    matrix: *ways
    inputs: { dataset: prepare.dataset, weights: init.weights, strategy: strategy.strategy, hparams: hparams.hparams }
  test:
    uses: test
    with: { max_questions: 12, max_new_tokens: 6, context: 128, shots: 2, consistency_questions: 3, instruction: Say even or odd. }
    inputs:
      trained: train@method=lora.trained
      rivals: train.trained
      test: prepare.test
      dataset: prepare.dataset
      model: select.model
`;

const features = 'frozen features + new head (not fine-tuning)';

test('tuned models, frozen features and prompts stand in one table on the same questions, the same each time', async () => {
  await using rig = await Rig.create();
  await rig.write({ 'pipeline.yaml': pipeline, 'chats.jsonl': makeChatRows(120) });
  await writeTinyLlama(rig.path('tiny'));
  // The test step is run twice.
  const result = await rig.run('--verify', 'test');
  expect([result.exitCode, result.stderr]).toEqual([0, '']);
  const tables = result.events.flatMap(({ kind, event, stepId }) => {
    if (kind !== 'step-event' || stepId !== 'test') return [];
    const { type, rows = [] } = event as { readonly type: string; readonly rows?: readonly string[][] }; // The plugin's own event.
    return type === 'table' ? [rows.map(([name]) => name)] : [];
  });
  const ways = ['LoRA r=8', 'repurposed: top 1 layer', 'searched prompt, 1 example', 'untuned, the bare question', 'untuned, with an instruction', 'untuned, 2 similar examples', features]; // prettier-ignore
  expect(tables.slice(0, 2)).toEqual([ways, ways]);
  const told = findingsOf(result, 'test');
  expect(told).toMatch(/Fine-tuning is (?:not )?worth it for this data\./);
  expect(told).toContain('It chooses among the 2 answers of the training rows and can say nothing else.');
  expect(told).toMatch(/Consistency: (?:holds|does not hold|cannot be told here)\. /);
  expect(told).toMatch(/ training are paid back after \d+ requests|it saves no time/);
  expect(told).not.toContain('not known');
  expect(result.events.filter(({ kind }) => kind === 'step-verified')).toMatchObject([{ differing: 0 }]);
});
