import type { Backend } from '@joyul/plugin-api';
import { loadBinding } from './native/binding.ts';
import { measureGain, worthwhileGain } from './probe.ts';

/** The element type inside matrix products that was chosen, and why. */
export interface ChosenPrecision {
  readonly name: 'float32' | 'bfloat16';
  /** In words, for the report. */
  readonly reason: string;
  /** How many times as fast matrix products are in bfloat16; absent where it was not measured. */
  readonly gain?: number;
}

/**
 * The element type inside matrix products on a backend: the one wanted, or with `auto` bfloat16 where a short
 * measurement shows that it is faster by enough. Weights, sums and everything else stay float32.
 */
export async function choosePrecision(
  wanted: 'float32' | 'bfloat16' | 'auto',
  backend: Backend,
): Promise<ChosenPrecision> {
  if (wanted === 'float32') return { name: 'float32', reason: 'Matrix products are in float32.' };
  const native = loadBinding();
  if (backend !== 'tensorflow' || !native.isLoaded)
    return {
      name: 'float32',
      reason: `Matrix products are in float32: the ${backend} backend has no other.`,
    };
  const gain = await measureGain(native.binding);
  const measured = `${gain.toFixed(1)} times as fast as in float32 on this machine`;
  if (wanted === 'bfloat16')
    return { name: 'bfloat16', gain, reason: `Matrix products are in bfloat16, as asked for: ${measured}.` };
  if (gain >= worthwhileGain)
    return { name: 'bfloat16', gain, reason: `Matrix products are in bfloat16: ${measured}.` };
  return {
    name: 'float32',
    gain,
    reason: `Matrix products are in float32: in bfloat16 they would only be ${measured}.`,
  };
}
