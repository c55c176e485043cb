import type { ConfigReader } from '../model-config.ts';

/** A stretch of rotary positions: all frequencies alike, or as Llama 3.1 does, the low ones only. */
export type RopeScaling =
  | { readonly type: 'linear'; readonly factor: number }
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      /** Positions of pretraining. */
      readonly originalPositions: number;
    };

/** Reads the scaling of Hugging Face's `rope_parameters` or `rope_scaling`; absent means none. */
export function parseRopeScaling(
  rope: Readonly<Record<string, unknown>>,
  fields: ConfigReader,
): RopeScaling | undefined {
  const type = rope['rope_type'] ?? rope['type'] ?? 'default';
  switch (type) {
    case 'default':
      return undefined;
    case 'linear':
      return { type: 'linear', factor: fields.number('factor') };
    case 'llama3':
      return {
        type: 'llama3',
        factor: fields.number('factor'),
        lowFrequencyFactor: fields.number('low_freq_factor'),
        highFrequencyFactor: fields.number('high_freq_factor'),
        originalPositions: fields.number('original_max_position_embeddings'),
      };
    default:
      fields.problems.push(
        `Rotary positions are scaled as ${JSON.stringify(type)}; only "default", "linear" and "llama3" are supported.`,
      );
      return undefined;
  }
}

/** What Llama 3.1 divides a frequency by: 1 for short waves, the factor for long ones, smooth between. */
export function llama3Divisor(frequency: number, scaling: RopeScaling & { readonly type: 'llama3' }): number {
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalPositions } = scaling;
  const turns = (originalPositions * frequency) / (2 * Math.PI); // Whole turns within the lengths of pretraining.
  if (turns > high) return 1;
  if (turns < low) return factor;
  const smooth = (turns - low) / (high - low);
  return 1 / ((1 - smooth) / factor + smooth);
}

/** The frequencies θ^(−2i/headDim) of rotary positions (Su et al. 2021), scaled where the model scales them: [headDim / 2]. */
export function ropeFrequencies(config: {
  readonly headDim: number;
  readonly ropeTheta: number;
  readonly ropeScaling?: RopeScaling;
}): readonly number[] {
  const half = config.headDim / 2;
  const { ropeScaling: scaling } = config;
  return Array.from({ length: half }, (_, index) => {
    const frequency = config.ropeTheta ** (-index / half);
    if (scaling === undefined) return frequency;
    if (scaling.type === 'linear') return frequency / scaling.factor;
    return frequency / llama3Divisor(frequency, scaling);
  });
}
