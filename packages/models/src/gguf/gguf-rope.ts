/**
 * Stretched rotary positions in GGUF files: named in the metadata, or, for Llama 3.1 and later, a tensor of what each
 * frequency is divided by.
 */
import { basename } from 'node:path';
import { llama3Divisor } from '../llama/rope-frequencies.ts';
import type { LlamaConfig } from '../llama/llama-config.ts';
import { ModelConfigError } from '../model-config.ts';
import { readNumbers } from '../tensors.ts';
import type { GgufHeader } from './gguf-file.ts';

/** The tensor [headDim / 2] of divisors. */
export const ropeDivisorsName = 'rope_freqs.weight';

/** Every model that is known to have such a tensor was made with these. */
const llama3 = { lowFrequencyFactor: 1, highFrequencyFactor: 4, originalPositions: 8192 } as const;

/** `rope_scaling` of `config.json` as the metadata names it; undefined for none. */
export function readNamedScaling(metadata: GgufHeader['metadata']): unknown {
  const type = metadata.get('llama.rope.scaling.type') ?? 'none';
  if (type === 'none') return undefined;
  return { rope_type: type, factor: metadata.get('llama.rope.scaling.factor') };
}

/** `rope_scaling` of `config.json` that the tensor of divisors stands for; undefined for none. */
export async function readLlama3Scaling(
  file: string,
  header: GgufHeader,
  config: Pick<LlamaConfig, 'headDim' | 'ropeTheta'>,
): Promise<unknown> {
  const stored = header.tensors.find((tensor) => tensor.name === ropeDivisorsName);
  if (stored === undefined) return undefined;
  const divisors = await readNumbers(file, stored, stored.type, `the tensor ${ropeDivisorsName}`);
  // Long waves are divided by the whole factor.
  const factor = divisors.reduce((most, value) => Math.max(most, value), 1);
  if (factor === 1) return undefined;
  const half = config.headDim / 2;
  const isLlama3 = divisors.every((divisor, index) => {
    const expected = llama3Divisor(config.ropeTheta ** (-index / half), {
      type: 'llama3',
      factor,
      ...llama3,
    });
    return Math.abs(divisor - expected) <= 1e-3 * expected;
  });
  if (!isLlama3 || divisors.length !== half)
    throw new ModelConfigError(
      [`Its rotary positions are scaled by ${ropeDivisorsName} in another way than Llama 3's.`],
      basename(file),
    );
  return {
    rope_type: 'llama3',
    factor,
    low_freq_factor: llama3.lowFrequencyFactor,
    high_freq_factor: llama3.highFrequencyFactor,
    original_max_position_embeddings: llama3.originalPositions,
  };
}
