import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  AdapterMerger,
  llamaWeightSpecs,
  parsePeftConfig,
  readAdapter,
  readTensors,
  writeAdapter,
} from '../../src/index.ts';
import type { Adapter, NamedTensor } from '../../src/index.ts';
import {
  expectedLogits,
  fixtures,
  largestDifference,
  llamaConfig,
  readBase,
  runLogits,
  specsOf,
} from './tiny-models.ts';
import type { ModelName } from './tiny-models.ts';

const names = ['llama-lora', 'llama-rslora', 'llama-dora', 'llama-block', 'bert-lora', 'bert-dora'] as const;
const modelOf = (name: string): ModelName => (name.startsWith('llama') ? 'llama' : 'bert');

/** Base weights, with the modules that an adapter brings along. */
async function baseFor(adapter: Adapter, model: ModelName): Promise<readonly NamedTensor[]> {
  return [...new Map([...(await readBase(model)), ...adapter.saved]).values()];
}

const openFixture = (name: string): Promise<Adapter> =>
  readAdapter(join(fixtures, name), specsOf(modelOf(name)));

test.each(['llama', 'bert'] as const)(
  '%s without an adapter gives the logits of transformers',
  async (model) => {
    const logits = await runLogits(model, (await readBase(model)).values());
    expect(largestDifference(logits, expectedLogits[model] ?? [])).toBeLessThan(2e-5);
  },
);

describe.each(names)('%s, written by PEFT', (name) => {
  test('gives the same logits as in Python', async () => {
    const adapter = await openFixture(name);
    const base = await baseFor(adapter, modelOf(name));
    const logits = await runLogits(modelOf(name), [...base, ...adapter.tensors.values()], adapter.plan);
    expect(largestDifference(logits, expectedLogits[name] ?? [])).toBeLessThan(2e-5);
  });

  test('gives the same logits when it is merged', async () => {
    const adapter = await openFixture(name);
    const merger = new AdapterMerger(adapter.plan, adapter.tensors);
    const merged = (await baseFor(adapter, modelOf(name))).map((tensor) => merger.merge(tensor));
    const logits = await runLogits(modelOf(name), merged);
    expect(largestDifference(logits, expectedLogits[name] ?? [])).toBeLessThan(2e-5);
  });

  test('is written again with the same tensors, for the same layers', async () => {
    const dir = await mkdtemp(join(tmpdir(), 'joyul-peft-'));
    try {
      const isBert = modelOf(name) === 'bert';
      await writeAdapter(dir, await openFixture(name), specsOf(modelOf(name)), {
        taskType: isBert ? 'SEQ_CLS' : 'CAUSAL_LM',
        baseModel: 'tiny',
        ...(isBert ? { prefix: 'bert.' } : {}),
      });
      const read = async (folder: string): Promise<readonly NamedTensor[]> =>
        [...(await readTensors(join(folder, 'adapter_model.safetensors')))].sort((a, b) =>
          a.name < b.name ? -1 : 1,
        );
      expect(await read(dir)).toEqual(await read(join(fixtures, name)));
      const again = await readAdapter(dir, specsOf(modelOf(name)));
      expect(again.plan.layers).toEqual((await openFixture(name)).plan.layers);
    } finally {
      await rm(dir, { recursive: true });
    }
  });
});

test('all-linear is written as the ends of names, since PEFT would also take layers that are not here', async () => {
  const { plan, tensors, saved } = await openFixture('bert-dora');
  const dir = await mkdtemp(join(tmpdir(), 'joyul-peft-'));
  try {
    const adapter = { plan: { ...plan, spec: { ...plan.spec, targets: 'all-linear' } }, tensors, saved };
    await writeAdapter(dir, adapter, specsOf('bert'), {
      taskType: 'SEQ_CLS',
      baseModel: 'tiny',
      prefix: 'bert.',
    });
    expect(JSON.parse(await readFile(join(dir, 'adapter_config.json'), 'utf8'))).toMatchObject({
      peft_type: 'LORA',
      use_dora: true,
      target_modules: [
        'attention.self.query',
        'attention.self.key',
        'attention.self.value',
        'attention.output.dense',
        'intermediate.dense',
        'output.dense',
      ],
      modules_to_save: ['classifier', 'classifier', 'score'],
    });
  } finally {
    await rm(dir, { recursive: true });
  }
});

const config = { peft_type: 'LORA', r: 8, lora_alpha: 16, target_modules: ['q_proj'] };

test.each([
  [{ peft_type: 'LOHA' }, 'adapter_config.json asks for what is not computed here: "peft_type" is "LOHA".'],
  [{ bias: 'all' }, 'adapter_config.json asks for what is not computed here: "bias" is "all".'],
  [
    { fan_in_fan_out: true, init_lora_weights: 'pissa' },
    'adapter_config.json asks for what is not computed here: "fan_in_fan_out" is true; "init_lora_weights" is "pissa".',
  ],
  [{ r: 'eight' }, 'adapter_config.json: "r" is "eight", not a number.'],
  [{ use_dora: true, use_rslora: true }, 'adapter_config.json asks for use_dora and use_rslora together.'],
])('%j is refused', (change, message) => {
  expect(() => parsePeftConfig({ ...config, ...change })).toThrow(message);
});

test('an adapter of another model is refused', async () => {
  await expect(readAdapter(join(fixtures, 'llama-lora'), specsOf('bert'))).rejects.toThrow(
    /No linear layer of the model is called "[qv]_proj"\./,
  );
});

test('an adapter whose files do not belong together is refused', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'joyul-peft-'));
  try {
    const from = join(fixtures, 'llama-lora');
    await writeFile(
      join(dir, 'adapter_model.safetensors'),
      await readFile(join(from, 'adapter_model.safetensors')),
    );
    await writeFile(
      join(dir, 'adapter_config.json'),
      JSON.stringify({ ...config, r: 4, target_modules: ['q_proj'] }),
    );
    await expect(readAdapter(dir, specsOf('llama'))).rejects.toThrow(
      'adapter_model.safetensors: model.layers.0.self_attn.v_proj.lora_A.weight adapts nothing that the model has.',
    );
    await writeFile(
      join(dir, 'adapter_config.json'),
      JSON.stringify({ ...config, target_modules: ['q_proj'] }),
    );
    await expect(readAdapter(dir, specsOf('llama'))).rejects.toThrow(
      'adapter_model.safetensors: model.layers.0.self_attn.q_proj.lora_A.weight has the shape [4, 32], but the model needs [8, 32].',
    );
  } finally {
    await rm(dir, { recursive: true });
  }
});

const reference =
  process.env['JOYUL_REFERENCE_DIR'] ?? join(import.meta.dirname, '../../../../../shared/reference');
const isThere = existsSync(join(reference, 'lora_final'));

test.skipIf(!isThere)(
  `an adapter of SmolLM2-135M opens${isThere ? '' : ' (skipped: the reference files are not here)'}`,
  async () => {
    const specs = llamaWeightSpecs({
      ...llamaConfig,
      hiddenSize: 576,
      layers: 30,
      heads: 9,
      keyValueHeads: 3,
      headDim: 64,
      intermediateSize: 1536,
    });
    for (const name of ['lora_init', 'lora_final']) {
      const { plan, tensors } = await readAdapter(join(reference, name), specs);
      expect([plan.layers.length, tensors.size, plan.layers[0]?.scale]).toEqual([60, 120, 2]);
    }
  },
);
