import type { MemoryPart, MemoryPrediction } from '@joyul/compute';
import { TrainingError } from './train-options.ts';

/** Another way to train, and what to type for it. */
export interface MemoryAlternative {
  /** Such as "`batch_size: 8` under the hparams step". */
  readonly change: string;
  readonly predict: () => MemoryPrediction;
}

const names: Readonly<Record<MemoryPart, string>> = {
  process: 'the process so far',
  library: 'TensorFlow and the graph',
  weights: 'weights',
  optimizer: "the optimizer's moments",
  gradients: 'gradients',
  activations: 'states kept for the backward pass',
  temporaries: 'temporary results',
  gaps: 'gaps between tensors',
  copies: 'copies outside TensorFlow',
};

const formatMb = (bytes: number): string => `${Math.round(bytes / 1e6).toLocaleString('en')} MB`;

/** A prediction in words: the whole and its parts, the largest first. */
export function describeMemory({ parts, totalBytes }: MemoryPrediction): string {
  const list = Object.entries(parts)
    .filter(([, bytes]) => bytes >= 1e6)
    .sort(([, left], [, right]) => right - left)
    .map(([part, bytes]) => `${formatMb(bytes)} for ${names[part as MemoryPart]}`); // The keys are parts.
  return `${formatMb(totalBytes)}: ${list.join(', ')}`;
}

/** The first alternative that fits, and what was tried before it. */
function suggest(alternatives: readonly MemoryAlternative[], limitBytes: number): string {
  const tried: string[] = [];
  for (const { change, predict } of alternatives) {
    const { totalBytes } = predict();
    if (totalBytes <= limitBytes) {
      const others = tried.length === 0 ? '' : ` Not enough: ${tried.join('; ')}.`;
      return `Set ${change}, which takes about ${formatMb(totalBytes)}.${others}`;
    }
    tried.push(`${change} (${formatMb(totalBytes)})`);
  }
  return `Nothing that training could change is enough: ${tried.join('; ')}. Take a smaller model, or a machine with more memory.`;
}

/**
 * Makes sure that what is predicted fits, before anything is loaded.
 *
 * @throws TrainingError with the parts, and with the first alternative that fits.
 */
export function requireMemory(
  prediction: MemoryPrediction,
  limitBytes: number,
  alternatives: readonly MemoryAlternative[],
): void {
  if (prediction.totalBytes <= limitBytes) return;
  throw new TrainingError(
    'OUT_OF_MEMORY',
    `Training would take about ${describeMemory(prediction)}. This process can have ${formatMb(limitBytes)}.`,
    suggest(alternatives, limitBytes),
  );
}
