import { readFileSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TensorData } from '@joyul/compute';
import { describe, expect, test } from 'vitest';
import { openStates } from '../../src/index.ts';
import type { StateOptions, TrunkReport } from '../../src/index.ts';
import { TemporaryFolder, makeTexts, tinyModels } from './support.ts';

const options = { padId: 0, backend: 'cpu', cut: 2 } as const;

/** The states of texts in one batch of 24 tokens a row, and what they took. */
async function readAll(
  texts: ReturnType<typeof makeTexts>,
  more: Partial<
    StateOptions & { readonly cut: number; readonly seed: number; readonly family: 'BERT' | 'Llama' }
  >,
): Promise<{ readonly states: TensorData; readonly report: TrunkReport }> {
  const { seed = 1, family = 'BERT', ...settings } = more;
  const { trunk, weights } = tinyModels[family](seed);
  const states = await openStates(trunk, weights, texts, { ...options, ...settings });
  if (states === undefined) throw new Error('The disk is full.');
  const indices = texts.map((_, index) => index);
  const read = await states.reader().read({ indices, time: 24 }, texts.length);
  await states.close();
  return { states: read, report: states.report };
}

const listShards = (folder: TemporaryFolder): readonly string[] =>
  readdirSync(folder.path, { recursive: true, withFileTypes: true })
    .filter((item) => item.isFile())
    .map((item) => join(item.parentPath, item.name));

describe.each(['BERT', 'Llama'] as const)('%s states', (family) => {
  test('are found again, and are the same bits', async () => {
    using folder = new TemporaryFolder();
    const texts = makeTexts([3, 9, 20, 1]);
    const more = { sharedDir: folder.path, family, stateType: 'float32' } as const;
    const first = await readAll(texts, more);
    const second = await readAll(texts, more);
    expect([first.report.reused, second.report.reused]).toEqual([0, 4]);
    expect(second.states).toEqual(first.states);
  });

  test('of a text do not depend on the texts beside it', async () => {
    const [alone] = makeTexts([9]);
    const { states } = await readAll([alone ?? { ids: new Int32Array() }], { family, stateType: 'float32' });
    const beside = await readAll(makeTexts([9, 10, 23, 2, 12]), { family, stateType: 'float32' });
    expect(beside.states.subarray(0, 9 * 8)).toEqual(states.subarray(0, 9 * 8));
  });

  test('in half precision are the rounded ones', async () => {
    const texts = makeTexts([3, 9]);
    const exact = await readAll(texts, { family, stateType: 'float32' });
    const half = await readAll(texts, { family });
    expect(new Float16Array(half.states.buffer)).toEqual(new Float16Array(exact.states));
  });
});

test('only texts that were not seen before are computed', async () => {
  using folder = new TemporaryFolder();
  await readAll(makeTexts([3, 9]), { sharedDir: folder.path });
  const { report } = await readAll(makeTexts([3, 9, 20]), { sharedDir: folder.path });
  expect([report.texts, report.reused]).toEqual([3, 2]);
});

test('a text that occurs twice is stored once', async () => {
  const [text = { ids: new Int32Array() }] = makeTexts([5]);
  const { report } = await readAll([text, { ids: text.ids.slice() }], {});
  expect([report.texts, report.bytes]).toEqual([1, 5 * 8 * 2]);
});

test('weights below the cut decide whether states are found, those above do not', async () => {
  using folder = new TemporaryFolder();
  const texts = makeTexts([3]);
  const { trunk, weights } = tinyModels.BERT(1);
  const reuse = async (name: string): Promise<number> => {
    const tensor = weights.get(name);
    if (tensor === undefined) throw new Error(`There is no ${name}.`);
    const changed = new Map([...weights, [name, { ...tensor, data: tensor.data.map((value) => value + 1) }]]);
    const states = await openStates(trunk, changed, texts, { ...options, sharedDir: folder.path });
    await states?.close();
    return states?.report.reused ?? -1;
  };
  await readAll(texts, { sharedDir: folder.path });
  expect(await reuse('encoder.layer.2.output.dense.weight')).toBe(1);
  expect(await reuse('encoder.layer.1.output.dense.weight')).toBe(0);
});

test('one flipped bit anywhere in a file is found, told and mended', async () => {
  using folder = new TemporaryFolder();
  const texts = makeTexts([3, 9]);
  const { states } = await readAll(texts, { sharedDir: folder.path });
  const [file = ''] = listShards(folder);
  const good = readFileSync(file);
  for (const position of [0, 100, good.length - 60, good.length - 40, good.length - 1]) {
    const bad = Buffer.from(good);
    bad[position] = (bad[position] ?? 0) ^ 4;
    // Under a new inode, as a damaged copy has; what this process has verified, it does not read again.
    writeFileSync(`${file}.copy`, bad);
    renameSync(`${file}.copy`, file);
    const warnings: string[] = [];
    const found = await readAll(texts, {
      sharedDir: folder.path,
      onWarning: (message) => warnings.push(message),
    });
    expect([found.report.reused, warnings.length]).toEqual([0, 1]);
    expect(found.states).toEqual(states);
  }
});

test('two that write the same states at once leave one whole file', async () => {
  using folder = new TemporaryFolder();
  const texts = makeTexts([3, 9, 20]);
  const [left, right] = await Promise.all([
    readAll(texts, { sharedDir: folder.path }),
    readAll(texts, { sharedDir: folder.path }),
  ]);
  expect(left.states).toEqual(right.states);
  expect(listShards(folder)).toHaveLength(1);
  expect((await readAll(texts, { sharedDir: folder.path })).report.reused).toBe(3);
});

test('states that do not fit in memory are read from disk, from many files, and are the same', async () => {
  using folder = new TemporaryFolder();
  const texts = makeTexts(Array.from({ length: 40 }, (_, index) => 1 + (index % 24)));
  const streamed = await readAll(texts, { sharedDir: folder.path, memoryBytes: 0, shardBytes: 1000 });
  expect(listShards(folder).length).toBeGreaterThan(5);
  expect(streamed.report.isInMemory).toBe(false);
  expect(streamed.states).toEqual((await readAll(texts, {})).states);
});

test('batches that are read ahead are those that were asked for', async () => {
  const { trunk, weights } = tinyModels.BERT(1);
  const texts = makeTexts([3, 9, 20, 6]);
  const states = await openStates(trunk, weights, texts, { ...options, memoryBytes: 0 });
  const batches = [[0, 1], [2], [3, 0]].map((indices) => ({ indices, time: 24 }));
  const readWith = async (expected: typeof batches): Promise<readonly unknown[]> => {
    const reader = states?.reader();
    reader?.expect(expected);
    const found: unknown[] = [];
    for (const batch of batches) found.push(await reader?.read(batch, 2));
    return found;
  };
  expect(await readWith(batches)).toEqual(await readWith([]));
  await states?.close();
});

test('open states outlive a clean-up that removes their files', async () => {
  using folder = new TemporaryFolder();
  const { trunk, weights } = tinyModels.BERT(1);
  const texts = makeTexts([3, 9]);
  const states = await openStates(trunk, weights, texts, {
    ...options,
    sharedDir: folder.path,
    memoryBytes: 0,
  });
  const batch = { indices: [0, 1], time: 24 };
  const before = await states?.reader().read(batch, 2);
  folder[Symbol.dispose]();
  expect(await states?.reader().read(batch, 2)).toEqual(before);
  await states?.close();
});
