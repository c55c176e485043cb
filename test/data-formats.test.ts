import { Rig, findingsOf, writeTinyLlama } from '@joyul/testing';
import type { Finished } from '@joyul/testing';
import { describe, expect, test } from 'vitest';

const steps = `
name: formats
params: { source: rows.jsonl }
steps:
  prepare:
    uses: prepare
    with: { source: "\${{ params.source }}", split: { validation: 0.2, test: 0.2 } }
  select:
    uses: select
    with: { candidates: [{ name: tiny, source: ./tiny }] }
    inputs: { dataset: prepare.dataset }
  strategy:
    uses: strategy
    with: { method: full }
    inputs: { dataset: prepare.dataset, model: select.model }
  hparams:
    uses: hparams
    with: { learning_rate: 0.01, epochs: 2, max_length: 8 }
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }
  init:
    uses: init
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }
  train:
    uses: train
    inputs: { dataset: prepare.dataset, weights: init.weights, strategy: strategy.strategy, hparams: hparams.hparams }
  evaluate:
    uses: evaluate
    inputs: { trained: train.trained, dataset: prepare.dataset }
  test:
    uses: test
    inputs: { trained: train.trained, test: prepare.test, dataset: prepare.dataset, model: select.model }
  deploy:
    uses: deploy
    with: { to: models/tokens }
    inputs: { trained: train.trained, metrics: test.metrics, dataset: prepare.dataset, model: select.model }
`;

async function create(files: Readonly<Record<string, string>>): Promise<Rig> {
  const rig = await Rig.create();
  await rig.write({ 'pipeline.yaml': steps, ...files });
  await writeTinyLlama(rig.path('tiny'));
  return rig;
}

const failureOf = (result: Finished): unknown =>
  result.events.find((event) => event.kind === 'attempt-failed');

const lines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

/** Rows of ten tokens each, of which the last seven are learned. */
const tokenRows = (count: number, first = 0): readonly object[] =>
  Array.from({ length: count }, (_, index) => {
    const ids = Array.from({ length: 10 }, (__, at) => first + ((index * 7 + at * (index + 3)) % 20));
    return { input_ids: ids, labels: ids.map((id, at) => (at < 3 ? -100 : id)) };
  });

describe('rows of tokens', () => {
  test('are trained on as they are, and those that are too long are told', async () => {
    await using rig = await create({ 'rows.jsonl': lines(tokenRows(40)) });
    const result = await rig.run();
    expect([result.exitCode, result.stderr]).toEqual([0, '']);
    expect(findingsOf(result, 'prepare')).toMatch(
      /rows\.jsonl: Read as token ids: 40 of 40 rows have `input_ids`\./,
    );
    const told = findingsOf(result, 'train');
    // Of 8 tokens, to which a row is cut, the last 5 are learned.
    expect(told).toMatch(/have (\d+) tokens, of which \d+ \(62\.5 %\) are learned/);
    expect(told).toMatch(/(\d+) of \1 training rows are longer than 8 tokens/);
    expect(told).toContain('Validation loss');
    expect(findingsOf(result, 'test')).toMatch(
      /Test perplexity, of what the rows are to teach: full fine-tuning [\d.]+, the untuned model [\d.]+/,
    );
    expect(findingsOf(result, 'deploy')).toContain('models/tokens');
  });

  test('that the model does not know are refused with row and position', async () => {
    await using rig = await create({ 'rows.jsonl': lines(tokenRows(40, 5000)) });
    const result = await rig.run('--until', 'train');
    expect(result.exitCode).toBe(1);
    expect(failureOf(result)).toMatchObject({
      failure: {
        code: 'TOKENS_UNKNOWN',
        problems: expect.arrayContaining([
          expect.objectContaining({
            field: '/input_ids/0',
            message: expect.stringMatching(/is none of the model's \d+ tokens/),
          }),
        ]),
      },
    });
  });
});

test('a row that fits two formats is refused with both names, and format decides', async () => {
  const rows = Array.from({ length: 40 }, (_, index) => ({
    instruction: `Say ${index}`,
    output: `${index}`,
    messages: [
      { role: 'user', content: `n${index}` },
      { role: 'assistant', content: `${index % 2}` },
    ],
  }));
  await using rig = await create({ 'rows.jsonl': lines(rows) });
  const refused = await rig.run('--until', 'prepare');
  expect(failureOf(refused)).toMatchObject({
    failure: {
      code: 'ROW_MALFORMED',
      problems: [
        {
          file: 'rows.jsonl',
          line: 1,
          message:
            'This row fits both OpenAI chat and Alpaca (messages, instruction). Set format: openai or format: alpaca.',
        },
      ],
    },
  });
  await rig.write({ 'pipeline.yaml': steps.replace('with: { source', 'with: { format: alpaca, source') });
  const result = await rig.run('--until', 'prepare');
  expect([result.exitCode, result.stderr]).toEqual([0, '']);
  expect(findingsOf(result, 'prepare')).toContain(
    'Read as Alpaca, as format asks: 40 of 40 rows have `instruction` and `output`.',
  );
});

test('columns of a table become conversations by `fields`', async () => {
  const rows = Array.from({ length: 40 }, (_, index) => `What is ${index} and ${index}?,${index * 2}`);
  await using rig = await create({
    'rows.csv': `question,answer\n${rows.join('\n')}\n`,
    'pipeline.yaml': steps.replace(
      'with: { source',
      'with: { fields: { prompt: question, completion: answer }, source',
    ),
  });
  const result = await rig.run('-s', 'source=rows.csv', '--until', 'select');
  expect([result.exitCode, result.stderr]).toEqual([0, '']);
  expect(findingsOf(result, 'prepare')).toContain(
    'Read as prompt with completion: 40 of 40 rows have `question` and `answer`.',
  );
});
