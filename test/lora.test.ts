import { globSync } from 'node:fs';
import { Rig, findingsOf, makeMoodRows, writeTinyBert } from '@joyul/testing';
import { expect, test } from 'vitest';

const steps = `
name: moods
params: { variant: lora, targets: all-linear, reinit: 0 }
steps:
  prepare:
    uses: prepare
    with: { source: rows.csv, split: { validation: 0.2, test: 0.2 } }
  select:
    uses: select
    with: { candidates: [{ name: tiny, source: ./tiny }, { name: short, source: ./tiny, layers: 2 }], max_length: 16, choose: tiny }
    inputs: { dataset: prepare.dataset }
  strategy:
    uses: strategy
    with: { method: lora, variant: "\${{ params.variant }}", targets: "\${{ params.targets }}", rank: 4, alpha: 8 }
    inputs: { dataset: prepare.dataset, model: select.model }
  hparams:
    uses: hparams
    with: { learning_rate: 0.01, epochs: 4, max_length: 16 }
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }
  init:
    uses: init
    with: { max_length: 16, head: random, reinit_top_layers: "\${{ params.reinit }}" }
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }
  train:
    uses: train
    inputs: { dataset: prepare.dataset, weights: init.weights, strategy: strategy.strategy, hparams: hparams.hparams }
  evaluate:
    uses: evaluate
    inputs: { trained: train.trained, dataset: prepare.dataset }
  test:
    uses: test
    with: { max_length: 16 }
    inputs: { trained: train.trained, test: prepare.test, dataset: prepare.dataset, model: select.model }
  deploy:
    uses: deploy
    with: { to: models/moods }
    inputs: { trained: train.trained, metrics: test.metrics, dataset: prepare.dataset, model: select.model }
`;

async function createMoods(): Promise<Rig> {
  const rig = await Rig.create();
  await rig.write({ 'pipeline.yaml': steps, 'rows.csv': makeMoodRows(120) });
  await writeTinyBert(rig.path('tiny'));
  return rig;
}

/** `trainability.json` of the only training. */
async function readProof(rig: Rig) {
  const blobs = globSync('.joyul/blobs/*/*', { cwd: rig.dir });
  const texts = await Promise.all(blobs.map(async (name) => rig.read(name)));
  const text = texts.find((content) => content.includes('"isFineTuning"') && content.includes('"tensors"'));
  return JSON.parse(text ?? '{}') as {
    readonly isFineTuning: boolean;
    readonly violations: readonly string[];
    readonly tensors: readonly { readonly name: string; readonly relativeChange: number }[];
    readonly effective: readonly { readonly layer: string; readonly relativeChange: number }[];
  }; // The train step's format.
}

test('adapters are trained beside frozen weights, which is fine-tuning, and both forms are exported', async () => {
  await using rig = await createMoods();
  const result = await rig.run('-s', 'variant=dora');
  expect([result.exitCode, result.stderr]).toEqual([0, '']);
  const proof = await readProof(rig);
  expect([proof.isFineTuning, proof.violations, proof.effective.length]).toEqual([true, [], 18]);
  const moved = proof.tensors.filter((tensor) => tensor.relativeChange > 0).map((tensor) => tensor.name);
  expect(moved.filter((name) => !/\.lora_|^classifier\./.test(name))).toEqual([]);
  expect(proof.effective.filter((layer) => !(layer.relativeChange > 0))).toEqual([]);
  expect(findingsOf(result, 'train')).toContain('No pretrained tensor was changed: low-rank adapters');
  expect(findingsOf(result, 'test')).toContain('Fine-tuning ');
  expect(findingsOf(result, 'deploy')).toContain('adapter/ is the same model as a PEFT adapter');
  expect(JSON.parse(await rig.read('models/moods/adapter/adapter_config.json'))).toMatchObject({
    peft_type: 'LORA',
    r: 4,
    lora_alpha: 8,
    use_dora: true,
    modules_to_save: ['classifier'],
  });
  expect(rig.has('models/moods/adapter/adapter_model.safetensors')).toBe(true);
  expect(await rig.read('models/moods/README.md')).toContain('Fine-tuned (dora, rank 4)');
});

test('an adapter of weights that init drew anew is not offered for the base model', async () => {
  await using rig = await createMoods();
  const result = await rig.run('-s', 'reinit=1', '-s', 'targets=.*query');
  expect(result.exitCode).toBe(0);
  expect(findingsOf(result, 'deploy')).toContain('The adapter is not exported: beside the base model');
  expect(rig.has('models/moods/adapter')).toBe(false);
});

test('targets that the model does not have are refused with those that it has', async () => {
  await using rig = await createMoods();
  const result = await rig.run('-s', 'targets=q_proj', '--until', 'strategy');
  expect(result.exitCode).toBe(1);
  expect(result.events.find((event) => event.kind === 'attempt-failed')).toMatchObject({
    stepId: 'strategy',
    failure: {
      code: 'ADAPTER',
      message: 'No linear layer of the model is called "q_proj".',
      help: 'Its linear layers are attention.self.query, attention.self.key, attention.self.value, attention.output.dense, intermediate.dense, output.dense; all-linear means all of them.',
    },
  });
});
