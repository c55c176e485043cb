import { globSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Rig, findingsOf, makeMoodRows, writeTinyBert } from '@joyul/testing';
import type { Finished } from '@joyul/testing';
import { describe, expect, test } from 'vitest';

const nineSteps = `
name: moods
params: { learning_rate: 0.002, epochs: 2, method: repurpose, schedule: linear, warmup: 0, patience: 0 }
steps:
  prepare:
    uses: prepare
    with: { source: rows.csv, split: { validation: 0.2, test: 0.2 } }
  select:
    uses: select
    with: { candidates: [{ name: tiny, source: ./tiny }, { name: tiny-2, source: ./tiny, layers: 2 }], max_length: 16, choose: tiny }
    inputs: { dataset: prepare.dataset }
  strategy:
    uses: strategy
    with: { method: "\${{ params.method }}", blocks: "top:1" }
    inputs: { dataset: prepare.dataset, model: select.model }
  hparams:
    uses: hparams
    with: { learning_rate: "\${{ params.learning_rate }}", epochs: "\${{ params.epochs }}", lr_scheduler: "\${{ params.schedule }}", warmup_steps: "\${{ params.warmup }}", early_stopping_patience: "\${{ params.patience }}", max_length: 16 }
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }
  init:
    uses: init
    with: { max_length: 16, head: random }
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

const ids = ['prepare', 'select', 'strategy', 'hparams', 'init', 'train', 'evaluate', 'test', 'deploy'];

async function createMoods(rows = 120): Promise<Rig> {
  const rig = await Rig.create();
  await rig.write({ 'pipeline.yaml': nineSteps, 'rows.csv': makeMoodRows(rows) });
  await writeTinyBert(rig.path('tiny'));
  return rig;
}

/** The content that a step left, by its digest. */
function digestOf(result: Finished, stepId: string): unknown {
  const ended = result.events.find((event) => event.kind === 'step-ended' && event.stepId === stepId);
  const outputs = ended?.['outputs'] as readonly { readonly digest: string }[] | undefined; // The engine's event.
  return outputs?.[0]?.digest;
}

const curvesOf = (result: Finished): readonly unknown[] =>
  result.events
    .map((event) => event['event'] as { readonly type: string } | undefined) // The engine's event.
    .filter((event) => event?.type === 'curve')
    .map((event) => JSON.stringify(event))
    .sort();

test('nine steps on a model folder: trained, tested, deployed, and all reused the second time', async () => {
  await using rig = await createMoods();
  const first = await rig.run();
  expect([first.exitCode, first.stderr]).toEqual([0, '']);
  expect([...first.ran].sort()).toEqual([...ids].sort());
  for (const name of ['config.json', 'model.safetensors', 'tokenizer.json', 'README.md', 'golden.json'])
    expect([name, rig.has(`models/moods/${name}`)]).toEqual([name, true]);
  const again = await rig.run();
  expect([again.exitCode, again.ran]).toEqual([0, []]);
  expect(again.reused).toHaveLength(9);
});

test('every step gives the same bytes when it is run once more', async () => {
  await using rig = await createMoods();
  await rig.run();
  const verified = await rig.run('--verify');
  expect(verified.events.filter((event) => event.kind === 'step-verified')).toMatchObject(
    ids.map(() => ({ differences: [] })),
  );
  expect([verified.exitCode, [...verified.reused].sort()]).toEqual([0, [...ids].sort()]);
});

test('changing a hyperparameter runs what depends on it, and why names the field', async () => {
  await using rig = await createMoods();
  await rig.run();
  const why = await rig.joyul('why', 'hparams', '-s', 'learning_rate=0.001');
  expect(why.stdout).toContain('params.learning_rate changed from 0.002 to 0.001');
  const changed = await rig.run('-s', 'learning_rate=0.001');
  expect([changed.exitCode, changed.stderr]).toEqual([0, '']);
  expect(changed.reused).toEqual(['prepare', 'select', 'strategy', 'init']);
  expect(changed.ran).toEqual(expect.arrayContaining(['hparams', 'train', 'evaluate', 'test', 'deploy']));
});

test('deploy replaces what it deployed before, and nothing else', async () => {
  await using rig = await createMoods();
  await rig.write({ 'models/moods/notes.txt': 'mine' });
  const refused = await rig.run();
  expect(refused.exitCode).toBe(1);
  expect(refused.events.find((event) => event.kind === 'attempt-failed')).toMatchObject({
    stepId: 'deploy',
    failure: { code: 'NOT_A_DEPLOYMENT' },
  });
  expect(await rig.read('models/moods/notes.txt')).toBe('mine');
  await rig.remove('models/moods');
  expect((await rig.run()).ran).toEqual(['deploy']);
  const before = await rig.read('models/moods/golden.json');
  expect((await rig.run('-s', 'learning_rate=0.01', '-s', 'epochs=8')).exitCode).toBe(0);
  expect(await rig.read('models/moods/golden.json')).not.toBe(before);
  expect((await rig.run()).exitCode).toBe(0);
  expect(await rig.read('models/moods/golden.json')).toBe(before);
});

test('without the native library training goes on with WebAssembly and says what that costs', async () => {
  await using rig = await createMoods();
  await rig.write({ 'cache/.keep': '' });
  const result = await rig.withEnv({ JOYUL_CACHE: rig.path('cache') }).run();
  expect([result.exitCode, result.stderr]).toEqual([0, '']);
  expect(findingsOf(result, 'train')).toContain('Training runs on WebAssembly, about 4 times slower.');
});

describe.each([
  ['full', true, ['embeddings', 'layer.0', 'layer.1', 'layer.2', 'classifier']],
  ['repurpose', true, ['layer.2', 'classifier']],
  ['extract', false, ['classifier']],
])('%s', (method, isFineTuning, trained) => {
  test('trains its blocks and nothing else, and is named for what it is', async () => {
    await using rig = await createMoods();
    const result = await rig.run('-s', `method=${method}`, '-s', 'epochs=8');
    expect(result.exitCode).toBe(0);
    const blobs = globSync('.joyul/blobs/*/*', { cwd: rig.dir });
    const proofs = await Promise.all(blobs.map(async (name) => rig.read(name)));
    const text = proofs.find(
      (content) => content.includes('"isFineTuning"') && content.includes('"tensors"'),
    );
    const proof = JSON.parse(text ?? '{}') as {
      readonly isFineTuning: boolean;
      readonly tensors: readonly { readonly block: string; readonly relativeChange: number }[];
    }; // The train step's format.
    expect(proof.isFineTuning).toBe(isFineTuning);
    const moved = proof.tensors.filter((tensor) => tensor.relativeChange > 0).map((tensor) => tensor.block);
    expect([...new Set(moved)].sort()).toEqual([...trained].sort());
    const isDenied = findingsOf(result, 'train').includes('not fine-tuning');
    expect(isDenied).toBe(!isFineTuning);
  });
});

/** Waits until a checkpoint is written after this moment. */
async function checkpointAfter(rig: Rig, momentMs: number): Promise<void> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await sleep(10)) {
    const states = globSync('.joyul/scratch/*/checkpoint/state.json', { cwd: rig.dir });
    const times = await Promise.all(states.map((name) => stat(rig.path(name)).catch(() => undefined)));
    if (times.some((time) => time !== undefined && time.mtimeMs > momentMs)) return;
  }
}

test('training that is killed again and again ends with the same bytes as an undisturbed one', async () => {
  await using calm = await createMoods(240);
  await using rough = await createMoods(240);
  const args = ['--until', 'train', '-s', 'epochs=12'];
  const undisturbed = await calm.run(...args);
  await rough.run('--until', 'init', '-s', 'epochs=12');
  let kills = 0;
  for (let round = 0; round < 3; round++) {
    const running = rough.start('run', 'pipeline.yaml', '--json', ...args);
    const ended = await Promise.race([
      running.finished.then(() => true),
      checkpointAfter(rough, Date.now()).then(() => false),
    ]);
    if (ended) break;
    rough.killGroup(running);
    await running.finished;
    kills++;
  }
  const last = await rough.run(...args);
  expect(last.exitCode).toBe(0);
  expect(kills).toBeGreaterThan(0);
  expect(digestOf(last, 'train')).toBe(digestOf(undisturbed, 'train'));
});

test('batches add up, another optimizer updates, and the report tells in which precision', async () => {
  await using rig = await createMoods(60);
  const more =
    'gradient_accumulation_steps: 2, optimizer: adafactor, batch_size: 8, precision: auto, max_length: 16';
  await rig.write({
    'pipeline.yaml': nineSteps
      .replace('early_stopping_patience', `${more}, early_stopping_patience`)
      .replace('", max_length: 16 }', '" }'),
  });
  const result = await rig.run('--until', 'train', '-s', 'epochs=1');
  expect([result.exitCode, result.stderr]).toEqual([0, '']);
  const found = findingsOf(result, 'train');
  expect(found).toMatch(/Matrix products are in (?:float32|bfloat16): /);
  // 36 of 60 rows are trained on, so that there are five batches.
  expect(found).toMatch(/of 3 iterations/);
});

const toTrain = ['--until', 'train', '--backend', 'cpu', '-s', 'schedule=constant', '-s', 'warmup=3'];

describe.each([
  ['the constant schedule', [], 'all 3 epochs were done'],
  ['training that ends early', ['-s', 'patience=2', '-s', 'learning_rate=0.05'], 'it stopped early'],
])('with %s', (_, args, ending) => {
  test('3 epochs go on from 1 and from 2, and give the same bytes as 3 at once', async () => {
    await using straight = await createMoods(60);
    await using grown = await createMoods(60);
    const train = (rig: Rig, epochs: number): Promise<Finished> =>
      rig.run(...toTrain, ...args, '-s', `epochs=${epochs}`);
    const runs = [await train(grown, 1), await train(grown, 2), await train(grown, 3)];
    const atOnce = await train(straight, 3);
    expect([...runs, atOnce].map(({ exitCode }) => exitCode)).toEqual([0, 0, 0, 0]);
    expect(digestOf(runs[2] ?? atOnce, 'train')).toBe(digestOf(atOnce, 'train'));
    expect(runs.map((run) => run.events.flatMap((event) => event['continuedFrom'] ?? []))).toEqual([
      [],
      [expect.objectContaining({ extent: 1, unit: 'epoch' })],
      [expect.objectContaining({ extent: 2, unit: 'epoch' })],
    ]);
    expect(findingsOf(atOnce, 'train')).toContain(`Training ended because ${ending}`);
    // The report of the last one has whole curves.
    expect(curvesOf(runs[2] ?? atOnce)).toEqual(curvesOf(atOnce));
  });
});

test('with a schedule over all epochs training begins anew and says why', async () => {
  await using rig = await createMoods(60);
  const train = (epochs: number, ...args: readonly string[]): Promise<Finished> =>
    rig.run('--until', 'train', '--backend', 'cpu', '-s', `epochs=${epochs}`, ...args);
  const first = await train(1);
  expect(findingsOf(first, 'train')).not.toContain('Did not go on');
  expect(findingsOf(await train(2), 'train')).toContain(
    `Did not go on from epoch 1 of run ${String(first.events[0]?.['runId'])}: the learning rate of the schedule \\"linear\\" depends on the number of epochs`,
  );
  await train(1, '-s', 'schedule=constant');
  expect(findingsOf(await train(2, '-s', 'schedule=constant'), 'train')).toContain(
    'a warm-up over 10 % of all iterations depends on the number of epochs',
  );
});

test('a served model answers as the one that was deployed, and refuses what it cannot answer', async () => {
  await using rig = await createMoods();
  await rig.run();
  const server = rig.start('serve', 'models/moods', '--port', '0');
  let told = '';
  server.process.stderr?.on('data', (data: Buffer) => (told += data.toString()));
  while (!told.includes('answers at')) await sleep(50);
  const url = /answers at (\S+)/.exec(told)?.[1] ?? '';
  const ask = async (body: string): Promise<[number, unknown]> => {
    const response = await fetch(`${url}/v1/classify`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    return [response.status, await response.json()];
  };
  try {
    const golden = JSON.parse(await rig.read('models/moods/golden.json')) as {
      readonly rows: readonly { readonly text: string; readonly logits: readonly [number, number] }[];
    }; // The deploy step's format.
    const [status, answer] = await ask(JSON.stringify({ input: golden.rows.map((row) => row.text) }));
    expect(status).toBe(200);
    const { data } = answer as { readonly data: readonly { readonly probs: readonly number[] }[] };
    for (const [index, { logits }] of golden.rows.entries())
      expect(data[index]?.probs[0]).toBeCloseTo(1 / (1 + Math.exp(logits[1] - logits[0])), 4);
    expect(await ask('{"input": 3}')).toMatchObject([400, { error: { param: 'input' } }]);
    expect(await ask('{')).toMatchObject([400, { error: { code: 'invalid_json' } }]);
  } finally {
    server.process.kill('SIGTERM');
  }
  expect((await server.finished).exitCode).toBe(0);
});
