import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { LazyTensor, NamedTensor } from './tensors.ts';
import { copyTokenizer } from './tokenizer-files.ts';
import { writeWeights } from './weights-files.ts';
import type { WriteWeightsOptions } from './weights-files.ts';

/** What is written into a model folder. */
export interface ModelContent extends WriteWeightsOptions {
  readonly rawConfig: Readonly<Record<string, unknown>>;
  /** Lazy ones are read one at a time, so that a model is not in memory to be copied. */
  readonly tensors: readonly (NamedTensor | LazyTensor)[];
  /** The labels of the head; absent where there is none. */
  readonly labels?: readonly string[];
  /** A folder whose tokenizer files are copied, or a GGUF file, whose tokenizer is converted. */
  readonly tokenizerFrom: string;
}

const generationFile = 'generation_config.json';

async function writeJson(file: string, value: unknown): Promise<void> {
  await writeFile(file, `${JSON.stringify(value, null, 2)}\n`);
}

function describeHead(labels: readonly string[] | undefined): Readonly<Record<string, unknown>> {
  if (labels === undefined) return {};
  return {
    joyul_head: true,
    id2label: Object.fromEntries(labels.map((label, index) => [index, label])),
    label2id: Object.fromEntries(labels.map((label, index) => [label, index])),
  };
}

/** What a decoder's description says besides the model's: the type of its weights, and where generation ends. */
async function describeDecoder(
  dir: string,
  content: ModelContent,
): Promise<Readonly<Record<string, unknown>>> {
  const { rawConfig, dtype = 'F32', tokenizerFrom } = content;
  if (rawConfig['model_type'] === 'bert') return rawConfig;
  const given = join(tokenizerFrom, generationFile);
  if (existsSync(given)) await copyFile(given, join(dir, generationFile));
  else {
    const keys = ['bos_token_id', 'eos_token_id', 'pad_token_id'];
    const entries = keys.map((key) => [key, rawConfig[key]] as const);
    await writeJson(
      join(dir, generationFile),
      Object.fromEntries(entries.filter(([, id]) => id !== undefined && id !== null)),
    );
  }
  const { dtype: _dtype, torch_dtype: _torchDtype, ...rest } = rawConfig;
  return { ...rest, torch_dtype: { F32: 'float32', F16: 'float16', BF16: 'bfloat16' }[dtype] };
}

/** Writes a model folder that `openModel` and Hugging Face's transformers open. */
export async function writeModel(dir: string, content: ModelContent): Promise<void> {
  await mkdir(dir, { recursive: true });
  await writeWeights(dir, content.tensors, content);
  const description = await describeDecoder(dir, content);
  await writeJson(join(dir, 'config.json'), { ...description, ...describeHead(content.labels) });
  await copyTokenizer(content.tokenizerFrom, dir);
}
