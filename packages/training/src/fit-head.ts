import type { Backend } from '@joyul/plugin-api';
import { fitProbe, foldProbe } from '@joyul/metrics';
import type { BertFolder, NamedTensor } from '@joyul/models';
import type { Example } from './batches.ts';
import { encodeFeatures } from './trunk/features.ts';
import type { Strategy } from './formats.ts';

/** How a head is fitted. */
export interface FitHeadOptions {
  readonly classes: number;
  readonly pooling: Strategy['pooling'];
  readonly padId: number;
  /** The encoder's weights; absent means the model's own. */
  readonly weights?: ReadonlyMap<string, NamedTensor>;
  readonly backend?: Backend;
  /** The folder that projects share between steps and runs; absent: nothing is kept. */
  readonly sharedDir?: string;
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * The tensors of a head that is fitted on frozen features: the linear probing of LP-FT (Kumar et al. 2022),
 * so that the first gradients do not spoil the layers below.
 *
 * `classifier.weight` is [classes, width], `classifier.bias` is [classes].
 */
export async function fitHead(
  model: BertFolder,
  examples: readonly Example[],
  { classes, ...options }: FitHeadOptions,
): Promise<readonly NamedTensor[]> {
  const layer = model.config.layers;
  const { width, byLayer } = await encodeFeatures(model, examples, { ...options, layers: [layer] });
  const labels = examples.map((example) => example.label);
  const probe = foldProbe(fitProbe(byLayer.get(layer) ?? new Float32Array(), width, labels, classes));
  return [
    { name: 'classifier.weight', shape: [classes, width], data: probe.weights },
    { name: 'classifier.bias', shape: [classes], data: probe.biases },
  ];
}
