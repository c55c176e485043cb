/** A Llama as a GGUF file, as llama.cpp's own converter writes it. */
import type { LlamaFolder } from '../model-folder.ts';
import { llama3Divisor } from '../llama/rope-frequencies.ts';
import type { LlamaConfig } from '../llama/llama-config.ts';
import type { LazyTensor } from '../tensors.ts';
import { readTokenizerFiles } from '../tokenizer-files.ts';
import { layerParts, otherParts } from './gguf-llama.ts';
import { ropeDivisorsName } from './gguf-rope.ts';
import { makeTokenizerFields } from './gguf-tokenizer-fields.ts';
import { writeGguf } from './gguf-writer.ts';
import type { GgufContent, GgufField, GgufWrittenType } from './gguf-writer.ts';

const partsByName = new Map(Object.entries(layerParts).map(([own, theirs]) => [theirs, own]));
const othersByName = new Map(Object.entries(otherParts).map(([own, theirs]) => [theirs, own]));

/** llama.cpp's name of a weight. */
function nameOf(name: string): string {
  const [, layer, part = ''] = /^model\.layers\.(\d+)\.(.+)\.weight$/.exec(name) ?? [];
  const own = partsByName.get(part);
  const found =
    layer !== undefined && own !== undefined ? `blk.${layer}.${own}.weight` : othersByName.get(name);
  if (found === undefined) throw new Error(`Internal error: ${name} has no name in GGUF.`);
  return found;
}

/**
 * Orders the rows of each head as llama.cpp's rotations need them: row s · headDim/2 + j of Hugging Face's becomes row
 * 2j + s, so that the two elements that a rotation turns are neighbours.
 */
export function interleaveHeadRows(data: Float32Array, width: number, headDim: number): Float32Array {
  const half = headDim / 2;
  const turned = new Float32Array(data.length);
  for (let start = 0; start < data.length; start += headDim * width)
    for (let row = 0; row < headDim; row++) {
      const source = start + row * width;
      const target = 2 * (row % half) + Math.floor(row / half);
      turned.set(data.subarray(source, source + width), start + target * width);
    }
  return turned;
}

/** Norms stay exact, as llama.cpp keeps them; rows that are no whole blocks are not quantized. */
function typeOf({ shape }: Pick<LazyTensor, 'shape'>, type: GgufWrittenType): GgufWrittenType {
  if (shape.length < 2) return 'F32';
  return type === 'Q8_0' && (shape.at(-1) ?? 1) % 32 !== 0 ? 'F16' : type;
}

function listContents(model: LlamaFolder, type: GgufWrittenType): readonly GgufContent[] {
  const { hiddenSize, headDim } = model.config;
  const weights = [...model.tensors.values()].map((tensor): GgufContent => {
    const isTurned = /\.self_attn\.[qk]_proj\./.test(tensor.name);
    return {
      name: nameOf(tensor.name),
      shape: tensor.shape,
      type: typeOf(tensor, type),
      readData: async () => {
        const data = await tensor.readData();
        return isTurned ? interleaveHeadRows(data, hiddenSize, headDim) : data;
      },
    };
  });
  const divisors = makeRopeDivisors(model.config);
  if (divisors === undefined) return weights;
  const rope = { name: ropeDivisorsName, shape: [divisors.length], type: 'F32' } as const;
  return [...weights, { ...rope, readData: () => Promise.resolve(divisors) }];
}

/** What each frequency is divided by, for models that stretch positions as Llama 3.1 does. */
function makeRopeDivisors({ headDim, ropeTheta, ropeScaling }: LlamaConfig): Float32Array | undefined {
  if (ropeScaling?.type !== 'llama3') return undefined;
  const half = headDim / 2;
  return Float32Array.from({ length: half }, (_, index) =>
    llama3Divisor(ropeTheta ** (-index / half), ropeScaling),
  );
}

/** llama.cpp's numbers of kinds of files. */
const fileTypes: Readonly<Record<GgufWrittenType, number>> = { F32: 0, F16: 1, Q8_0: 7 };

const u32 = (value: number): GgufField => ({ kind: 'u32', value });
const f32 = (value: number): GgufField => ({ kind: 'f32', value });
const text = (value: string): GgufField => ({ kind: 'string', value });

function makeModelFields(
  config: LlamaConfig,
  name: string,
  type: GgufWrittenType,
): ReadonlyMap<string, GgufField> {
  const { ropeScaling: scaling } = config;
  return new Map<string, GgufField>([
    ['general.architecture', text('llama')],
    ['general.name', text(name)],
    ['general.file_type', u32(fileTypes[type])],
    ['general.quantization_version', u32(2)],
    ['llama.vocab_size', u32(config.vocabSize)],
    ['llama.context_length', u32(config.maxPositions)],
    ['llama.embedding_length', u32(config.hiddenSize)],
    ['llama.block_count', u32(config.layers)],
    ['llama.feed_forward_length', u32(config.intermediateSize)],
    ['llama.attention.head_count', u32(config.heads)],
    ['llama.attention.head_count_kv', u32(config.keyValueHeads)],
    ['llama.attention.key_length', u32(config.headDim)],
    ['llama.attention.value_length', u32(config.headDim)],
    ['llama.attention.layer_norm_rms_epsilon', f32(config.rmsNormEpsilon)],
    ['llama.rope.dimension_count', u32(config.headDim)],
    ['llama.rope.freq_base', f32(config.ropeTheta)],
    ...(scaling?.type === 'linear'
      ? ([
          ['llama.rope.scaling.type', text('linear')],
          ['llama.rope.scaling.factor', f32(scaling.factor)],
        ] as const)
      : []),
  ]);
}

/** How a model is written as a GGUF file. */
export interface ExportGgufOptions {
  readonly name: string;
  /** Of matrices; norms are always F32. */
  readonly type: GgufWrittenType;
}

/**
 * Writes a Llama with its tokenizer and chat template as a GGUF file.
 *
 * @throws ModelConfigError where GGUF has no way to say what the model's tokenizer does.
 */
export async function exportGguf(
  file: string,
  model: LlamaFolder,
  options: ExportGgufOptions,
): Promise<void> {
  const { config } = model;
  const fields = makeTokenizerFields(await readTokenizerFiles(model.path), config.vocabSize);
  const metadata = new Map([...makeModelFields(config, options.name, options.type), ...fields]);
  await writeGguf(file, metadata, listContents(model, options.type));
}
