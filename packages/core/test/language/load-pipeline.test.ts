import { expect, test } from 'vitest';
import { graphOf, load } from './support.ts';

const nine = `
name: support-intents
params:
  epochs: 3
steps:
  prepare:
    uses: prepare
    with: { source: data/tickets.csv }
  select: { uses: select, inputs: { dataset: prepare.dataset } }
  strategy: { uses: strategy, inputs: { dataset: prepare.dataset, model: select.model } }
  hparams: { uses: hparams, inputs: { dataset: prepare.dataset } }
  init: { uses: init, inputs: { model: select.model, strategy: strategy.strategy } }
  train:
    uses: train
    with: { epochs: "\${{ params.epochs }}" }
    inputs: { dataset: prepare.dataset, weights: init.weights, hparams: hparams.hparams }
  evaluate: { uses: evaluate, inputs: { model: train.model, dataset: prepare.dataset } }
  test: { uses: test, inputs: { model: train.model, split: prepare.test } }
  deploy: { uses: deploy, inputs: { model: train.model, metrics: test.metrics } }
`;

test('nine steps become a graph in the declared order', async () => {
  const graph = await graphOf(nine);
  expect(graph.steps.map((step) => step.id).join(' ')).toBe(
    'prepare select strategy hparams init train evaluate test deploy',
  );
});

test('an expression that is the whole value keeps its type, and defaults are filled in', async () => {
  const graph = await graphOf(nine);
  expect(graph.byId.get('train')?.params).toEqual({ epochs: 3, rate: 0.001, shuffle: true });
});

test('inputs are wired to the ports that were named', async () => {
  const train = (await graphOf(nine)).byId.get('train');
  expect(train?.needs).toEqual(['hparams', 'init', 'prepare']);
  expect(train?.inputs['weights']).toEqual([{ step: 'init', port: 'weights' }]);
});

test('a step of a wrong shape hides neither mistakes in other steps nor makes any of them look wrong', async () => {
  const text = nine
    .replace('uses: select,', 'uses: selekt,')
    .replace('{ uses: evaluate,', '{ uses: evaluate, timeout: long,')
    .replace('deploy: { uses: deploy,', 'deploy: { uses: deploy, retry: { attempt: 3 },')
    .replace('source: data', 'sourc: data');
  const { diagnostics } = await load(text);
  expect(diagnostics.map(({ code }) => code).sort()).toEqual([
    'PARAM_UNKNOWN',
    'PLUGIN_UNKNOWN',
    'UNKNOWN_KEY',
    'WRONG_TYPE',
  ]);
});
