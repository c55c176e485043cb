import { expect, test } from 'vitest';
import { AdapterError, lowestAdaptedBlock, planAdapters } from '../../src/index.ts';
import type { AdapterSpec } from '../../src/index.ts';
import { specsOf } from './tiny-models.ts';

const spec: AdapterSpec = { variant: 'lora', rank: 4, alpha: 8, targets: ['q_proj'] };
const namesOf = (change: Partial<AdapterSpec>): readonly string[] =>
  planAdapters({ ...spec, ...change }, specsOf('llama')).layers.map((layer) => layer.name);

test('a list names the ends of layers', () => {
  expect(namesOf({ targets: ['q_proj', 'mlp.up_proj'] })).toEqual([
    'model.layers.0.self_attn.q_proj',
    'model.layers.0.mlp.up_proj',
    'model.layers.1.self_attn.q_proj',
    'model.layers.1.mlp.up_proj',
  ]);
});

test('a text is a regular expression for whole names', () => {
  expect(namesOf({ targets: '.*\\.1\\.self_attn\\.[qv]_proj' })).toEqual([
    'model.layers.1.self_attn.q_proj',
    'model.layers.1.self_attn.v_proj',
  ]);
});

test('all-linear means every linear layer of every block, without embeddings and head', () => {
  expect(namesOf({ targets: 'all-linear' })).toHaveLength(14);
  const bert = planAdapters({ ...spec, targets: 'all-linear' }, specsOf('bert')).layers;
  expect(bert.map((layer) => layer.name).filter((name) => !name.startsWith('encoder.layer.'))).toEqual([]);
  expect(bert).toHaveLength(12);
});

test('layers keeps adapters to some blocks, and tells the lowest one', () => {
  const plan = planAdapters({ ...spec, layers: [1] }, specsOf('llama'));
  expect([plan.layers.map((layer) => layer.name), lowestAdaptedBlock(plan)]).toEqual([
    ['model.layers.1.self_attn.q_proj'],
    1,
  ]);
});

test.each([
  ['lora', 2],
  ['dora', 2],
  ['rslora', 4],
] as const)('%s scales alpha 8 and rank 4 to %d', (variant, scale) => {
  expect(planAdapters({ ...spec, variant }, specsOf('llama')).layers[0]?.scale).toBe(scale);
});

test.each([
  [
    { targets: ['q_project'] },
    'No linear layer of the model is called "q_project".',
    'Did you mean "q_proj"? Its linear layers are self_attn.q_proj, self_attn.k_proj, self_attn.v_proj, self_attn.o_proj, mlp.gate_proj, mlp.up_proj, mlp.down_proj; all-linear means all of them.',
  ],
  [
    { targets: '[' },
    'The targets "[" are not a regular expression: Invalid regular expression: /^(?:[)$/: Unterminated character class',
    'Write a list of layer names, `all-linear`, or a regular expression for whole names.',
  ],
  [{ rank: 0 }, 'The rank 0 is not a whole number of at least 1.', 'Write a rank such as 8.'],
  [{ alpha: -1 }, 'alpha is -1, but must be above 0.', 'Write alpha: 16.'],
  [{ layers: [2] }, 'There is no block 2: the model has 2, counted from 0.', 'Write numbers from 0 to 1.'],
] as const)('%j is refused', (change, message, help) => {
  const attempt = (): unknown => planAdapters({ ...spec, ...change }, specsOf('llama'));
  expect(attempt).toThrow(AdapterError);
  expect(attempt).toThrow(expect.objectContaining({ message, help }));
});
