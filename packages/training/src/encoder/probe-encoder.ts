import { fitProbe } from '@joyul/metrics';
import type { BertFolder } from '@joyul/models';
import type { Example } from '../batches.ts';
import { encodeFeatures } from '../trunk/features.ts';
import type { FeatureOptions } from '../trunk/features.ts';

/** How well a linear head on frozen features answers. */
export interface ProbeScore {
  /** By validation row. */
  readonly isRight: readonly boolean[];
}

/**
 * Fits a head on the frozen features of labelled training rows, and sees which validation rows it answers rightly:
 * what an encoder's features are worth before anything else is tuned.
 */
export async function probeEncoder(
  model: BertFolder,
  { train, validation }: Readonly<Record<'train' | 'validation', readonly Example[]>>,
  options: Omit<FeatureOptions, 'layers'> & { readonly classes: number },
): Promise<ProbeScore> {
  const layer = model.config.layers;
  const { width, byLayer } = await encodeFeatures(model, [...train, ...validation], {
    ...options,
    layers: [layer],
  });
  const features = byLayer.get(layer) ?? new Float32Array();
  const labels = train.map((example) => example.label);
  const probe = fitProbe(features.subarray(0, train.length * width), width, labels, options.classes);
  const answers = probe.predict(features.subarray(train.length * width));
  return {
    isRight: answers.map((shares, row) => shares.indexOf(Math.max(...shares)) === validation[row]?.label),
  };
}
