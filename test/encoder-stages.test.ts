import { Rig, findingsOf, makeMoodRows, writeTinyBert } from '@joyul/testing';
import type { Finished } from '@joyul/testing';
import { describe, expect, test } from 'vitest';

/** A few labelled rows, all others without labels: read first, then learned from. */
const steps = `
name: moods
params: { method: full, objective: auto, epochs: 2 }
steps:
  prepare:
    uses: prepare
    with:
      source: rows.csv
      unlabelled: rows.csv
      limit: { per_class: 20 }
      split: { validation: 0.3, test: 0.3 }
  select:
    uses: select
    with: { candidates: [{ name: tiny, source: ./tiny }] }
    inputs: { dataset: prepare.dataset }
  strategy:
    uses: strategy
    with: { method: "\${{ params.method }}", blocks: 'top:1', rank: 2 }
    inputs: { dataset: prepare.dataset, model: select.model }
  reading-hparams:
    uses: hparams
    with: { data: unlabelled, batch_size: 16, learning_rate: 0.002, epochs: "\${{ params.epochs }}" }
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }
  reading-init:
    uses: init
    with: { head: random }
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }
  reading:
    uses: train
    with: { data: unlabelled, objective: "\${{ params.objective }}" }
    inputs: { dataset: prepare.dataset, weights: reading-init.weights, strategy: strategy.strategy, hparams: reading-hparams.hparams }
  hparams:
    uses: hparams
    with: { learning_rate: 0.002, epochs: 2 }
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }
  init:
    uses: init
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy, earlier: reading.trained }
  train:
    uses: train
    inputs: { dataset: prepare.dataset, weights: init.weights, strategy: strategy.strategy, hparams: hparams.hparams }
  test:
    uses: test
    inputs: { trained: train.trained, test: prepare.test, dataset: prepare.dataset, model: select.model }
`;

async function createMoods(guessesWords = false): Promise<Rig> {
  const rig = await Rig.create();
  await rig.write({ 'pipeline.yaml': steps, 'rows.csv': makeMoodRows(300) });
  await writeTinyBert(rig.path('tiny'), 7, { guessesWords });
  return rig;
}

const failureOf = (result: Finished): unknown =>
  result.events.find((event) => event.kind === 'attempt-failed');

describe('an encoder reads texts without labels before the labelled stage', () => {
  test('and tells each text from others, where it has no head that guesses words', async () => {
    await using rig = await createMoods();
    const result = await rig.run();
    expect([result.exitCode, result.stderr]).toEqual([0, '']);
    expect(findingsOf(result, 'reading-hparams')).toContain('the defaults of a stage on unlabelled texts');
    const reading = findingsOf(result, 'reading');
    expect(reading).toMatch(
      /Contrastive learning \(SimCSE\).*\d+ unlabelled texts are learned from, \d+ kept aside\./,
    );
    expect(reading).toMatch(
      /alignment [\d.]+, uniformity -[\d.]+\) after \d+ of \d+ iterations; before training/,
    );
    expect(reading).toMatch(
      /A linear head on frozen features answers [\d.]+ % of 12 labelled validation rows rightly; before this stage/,
    );
    expect(findingsOf(result, 'init')).toContain('Every layer starts from what an earlier stage trained');
    expect(findingsOf(result, 'test')).toContain('Test accuracy');
  });

  test('and guesses masked words, where it has such a head', async () => {
    await using rig = await createMoods(true);
    const result = await rig.run('--until', 'train');
    expect([result.exitCode, result.stderr]).toEqual([0, '']);
    expect(findingsOf(result, 'reading')).toMatch(
      /% of the masked words guessed\) after \d+ of \d+ iterations/,
    );
    expect(findingsOf(result, 'reading')).toContain('and the head that guesses words); digests prove');
  });

  test.each(['repurpose', 'lora'])('by method: %s', async (method) => {
    await using rig = await createMoods();
    const result = await rig.run('-s', `method=${method}`, '--until', 'reading');
    expect([result.exitCode, result.stderr]).toEqual([0, '']);
    const trained = method === 'lora' ? '(adapters)' : '(layer.2)';
    expect(findingsOf(result, 'reading')).toContain(`${trained}; digests prove that the rest did not move`);
  });
});

describe('what cannot be read is refused', () => {
  test('masked words without the head', async () => {
    await using rig = await createMoods();
    const result = await rig.run('-s', 'objective=masked', '--until', 'reading');
    expect(result.exitCode).toBe(1);
    expect(failureOf(result)).toMatchObject({
      failure: {
        code: 'NO_MASKED_HEAD',
        message: 'The model has no head that guesses masked words (cls.predictions).',
        help: 'Write objective: contrastive, which needs none, or name a model with that head, such as hf:google-bert/bert-base-uncased.',
      },
    });
  });

  test('a method that trains nothing of the encoder', async () => {
    await using rig = await createMoods();
    const result = await rig.run('-s', 'method=extract', '--until', 'reading');
    expect(failureOf(result)).toMatchObject({
      failure: {
        code: 'NO_GRADIENT',
        message: 'The strategy trains no block of the encoder, and texts without labels train no head.',
      },
    });
  });

  test('an objective for labelled rows, before anything runs', async () => {
    await using rig = await createMoods();
    await rig.write({ 'pipeline.yaml': steps.replace('data: unlabelled, objective', 'objective') });
    const result = await rig.joyul('validate', '-s', 'objective=masked');
    expect([result.exitCode, result.stderr]).toEqual([2, expect.stringContaining('OBJECTIVE_OF_LABELS')]);
    expect(result.stderr).toContain('"objective" is masked, but labelled rows have their labels to learn.');
  });
});
