import { availableMemory, sizeOf } from '@joyul/compute';
import type { MemoryPart, MemoryPrediction } from '@joyul/compute';
import type { Hparams } from './formats.ts';
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

/** The weights as they were, the best ones, and what a checkpoint holds while it is written; in bytes. */
export function countCopies(
  all: readonly { readonly shape: readonly number[] }[],
  trained: readonly { readonly shape: readonly number[] }[],
  keepsCheckpoints: boolean,
): number {
  const count = (items: typeof all): number => items.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return 4 * (count(all) + count(trained) * (keepsCheckpoints ? 4 : 1));
}

/** What of a training's options may be changed to save memory. */
interface Changeable {
  readonly hparams: Hparams;
  readonly strategy: { readonly blocks: readonly string[] };
  readonly model: { readonly config: { readonly layers: number } };
  readonly adapter?: unknown;
  readonly memoryLimitBytes?: number;
}

/** Ways to train with less memory, those that change the least first. */
function listAlternatives<Options extends Changeable>(
  options: Options,
  predict: (options: Options) => MemoryPrediction,
): readonly MemoryAlternative[] {
  const { hparams, strategy, model } = options;
  const change = (text: string, changes: Partial<Hparams>): MemoryAlternative => ({
    change: `${text} in the hparams step`,
    predict: () => predict({ ...options, hparams: { ...hparams, ...changes } }),
  });
  const checkpointed = '`gradient_checkpointing: true`';
  const smaller = [2, 4, 8, 16].flatMap((divisor): MemoryAlternative[] => {
    const size = hparams.batch_size / divisor;
    if (!Number.isInteger(size)) return [];
    const steps = divisor * hparams.gradient_accumulation_steps;
    const batch = `\`batch_size: ${size}\` with \`gradient_accumulation_steps: ${steps}\``;
    const changes = { batch_size: size, gradient_accumulation_steps: steps };
    return [
      change(batch, changes),
      change(`${batch} and ${checkpointed}`, { ...changes, gradient_checkpointing: true }),
    ];
  });
  const shorter = Math.floor(hparams.max_length / 2);
  const top = `layer.${model.config.layers - 1}`;
  const less: MemoryAlternative = {
    change: `\`method: repurpose\` with \`blocks: [${top}]\` in the strategy step`,
    predict: () => predict({ ...options, strategy: { ...strategy, blocks: [top] } }),
  };
  return [
    ...(hparams.gradient_checkpointing ? [] : [change(checkpointed, { gradient_checkpointing: true })]),
    ...smaller,
    change(`\`max_length: ${shorter}\``, { max_length: shorter }),
    // Beside an adapter little is trained, and all of it would have to be planned anew.
    ...(options.adapter === undefined ? [less] : []),
  ];
}

/**
 * What training will take of memory, as `predict` says it.
 *
 * @throws TrainingError with the first change that would fit when there is not so much.
 */
export function checkMemory<Options extends Changeable>(
  options: Options,
  predict: (options: Options) => MemoryPrediction,
): MemoryPrediction {
  const memory = predict(options);
  const limit = options.memoryLimitBytes ?? process.memoryUsage.rss() + availableMemory();
  requireMemory(memory, limit, listAlternatives(options, predict));
  return memory;
}
