import { Rig, findingsOf, makeChatRows, makeMoodRows, writeTinyBert, writeTinyLlama } from '@joyul/testing';
import { describe, expect, test } from 'vitest';

/** Two trainings of one data set, of which the simpler one has almost no time to learn, and a choice between them. */
const choice = `
name: stages
params: { source: chats.jsonl, model: ./tiny, metric: auto, rate: 0.01 }
steps:
  prepare:
    uses: prepare
    with: { source: "\${{ params.source }}", split: { validation: 0.3, test: 0.1 } }
  select:
    uses: select
    with: { candidates: [{ name: tiny, source: "\${{ params.model }}" }] }
    inputs: { dataset: prepare.dataset }
  strategy:
    uses: strategy
    with: { method: full }
    inputs: { dataset: prepare.dataset, model: select.model }
  init:
    uses: init
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }
  hparams-more:
    uses: hparams
    with: { learning_rate: "\${{ params.rate }}", epochs: 6 }
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }
  hparams-less:
    uses: hparams
    with: { learning_rate: 0.0000001, epochs: 6 }
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }
  more:
    uses: train
    inputs: { dataset: prepare.dataset, weights: init.weights, strategy: strategy.strategy, hparams: hparams-more.hparams }
  less:
    uses: train
    inputs: { dataset: prepare.dataset, weights: init.weights, strategy: strategy.strategy, hparams: hparams-less.hparams }
  choose:
    uses: choose
    with: { metric: "\${{ params.metric }}", max_new_tokens: 6 }
    inputs: { candidate: more.trained, simpler: less.trained, dataset: prepare.dataset }
  evaluate:
    uses: evaluate
    with: { generations: 4, max_new_tokens: 6 }
    inputs: { trained: choose.trained, dataset: prepare.dataset }
`;

async function createChoice(pipeline = choice): Promise<Rig> {
  const rig = await Rig.create();
  await rig.write({
    'pipeline.yaml': pipeline,
    'chats.jsonl': makeChatRows(150),
    'rows.csv': makeMoodRows(120),
  });
  await writeTinyLlama(rig.path('tiny'));
  await writeTinyBert(rig.path('encoder'));
  return rig;
}

const swapped = choice.replace(
  'candidate: more.trained, simpler: less.trained',
  'candidate: less.trained, simpler: more.trained',
);

describe('of two models one is kept', () => {
  test('the better one, by its answers, and it can be evaluated like any trained model', async () => {
    await using rig = await createChoice();
    const result = await rig.run();
    expect([result.exitCode, result.stderr]).toEqual([0, '']);
    expect(findingsOf(result, 'choose')).toMatch(
      /Kept the candidate: its exact match on 45 validation questions is [\d.]+ %, that of the simpler model 0\.0 %/,
    );
    expect(findingsOf(result, 'evaluate')).toContain('Validation loss');
    const [, kept] = /Validation loss ([\d.]+)/.exec(findingsOf(result, 'more')) ?? [];
    expect(findingsOf(result, 'evaluate')).toContain(`Validation loss ${kept ?? ''}`);
  });

  test('the simpler one, where the extra stage does harm', async () => {
    await using rig = await createChoice(swapped);
    const result = await rig.run('-s', 'metric=loss', '--until', 'choose');
    expect([result.exitCode, result.stderr]).toEqual([0, '']);
    expect(findingsOf(result, 'choose')).toMatch(
      /Kept the simpler model: its mean loss a token on 45 validation questions is [\d.]+, that of the candidate [\d.]+\. The candidate is [\d.]+ worse .*: the extra stage does not help here/,
    );
  });

  test('of classifiers, by their labels', async () => {
    await using rig = await createChoice();
    const result = await rig.run('-s', 'source=rows.csv', '-s', 'model=./encoder', '-s', 'rate=0.001');
    expect([result.exitCode, result.stderr]).toEqual([0, '']);
    expect(findingsOf(result, 'choose')).toMatch(
      /Kept the (?:candidate|simpler model): its accuracy on \d+ validation rows is [\d.]+ %/,
    );
    expect(findingsOf(result, 'evaluate')).toContain('Validation accuracy');
  });
});

describe('what a stage on unlabelled texts changes is told', () => {
  const reading = `
name: reading
steps:
  prepare:
    uses: prepare
    with: { source: chats.jsonl, unlabelled: texts.jsonl }
  general:
    uses: prepare
    with: { source: general.jsonl, format: text, split: { validation: 0.5, test: 0 } }
  select:
    uses: select
    with: { candidates: [{ name: tiny, source: ./tiny }] }
    inputs: { dataset: prepare.dataset }
  strategy:
    uses: strategy
    with: { method: full }
    inputs: { dataset: prepare.dataset, model: select.model }
  init:
    uses: init
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }
  hparams:
    uses: hparams
    with: { learning_rate: 0.01, epochs: 4 }
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }
  reading:
    uses: train
    with: { data: unlabelled }
    inputs: { dataset: prepare.dataset, weights: init.weights, strategy: strategy.strategy, hparams: hparams.hparams }
  evaluate:
    uses: evaluate
    with: { generations: 0 }
    inputs: { trained: reading.trained, dataset: prepare.dataset, model: select.model, general: general.dataset }
`;
  const linesOf = (texts: readonly string[]): string =>
    texts.map((text) => JSON.stringify({ text })).join('\n');
  const count = <T>(length: number, make: (at: number) => T): readonly T[] =>
    Array.from({ length }, (_, at) => make(at));

  async function createReading(): Promise<Rig> {
    const rig = await createChoice(reading);
    await rig.write({
      'texts.jsonl': linesOf(count(200, (at) => `n${at * 7} is a number`)),
      'general.jsonl': linesOf(count(30, (at) => `ZEBRAS: ${'QUARTZ! '.repeat(1 + (at % 4))}${at}`)),
    });
    return rig;
  }

  test('by perplexity on texts of the domain that were kept aside, and on general ones', async () => {
    await using rig = await createReading();
    const result = await rig.run();
    expect([result.exitCode, result.stderr]).toEqual([0, '']);
    const found = findingsOf(result, 'evaluate');
    expect(found).toMatch(/On 10 texts of the domain that were kept aside perplexity went from /);
    expect(found).toMatch(
      /A linear head on the tuned model's states gets [\d.]+ % of \d+ validation questions right, on the untuned model's [\d.]+ %/,
    );
    const [, before = '0', after = '9'] = /aside perplexity went from ([\d.]+) to ([\d.]+)/.exec(found) ?? [];
    expect(Number(after)).toBeLessThan(0.2 * Number(before));
    expect(found).toMatch(/of what the model knew is forgotten: on 15 general texts perplexity rose from/);
  });
});
