import type { Program } from '@joyul/compute';
import { deriveSeed, makeRandom } from '../random-weights.ts';
import type { NamedTensor } from '../tensors.ts';
import type { WeightSpec } from '../weight-specs.ts';
import { adapterNames } from './adapter-plan.ts';
import type { AdaptedLayer, AdapterPlan } from './adapter-plan.ts';
import type { LayerAdapter } from './apply-adapter.ts';
import { rowNorms } from './merge-adapters.ts';

function layerSpecs(layer: AdaptedLayer, plan: AdapterPlan): readonly WeightSpec[] {
  const names = adapterNames(layer.name);
  return [
    { name: names.down, shape: [layer.rank, layer.inputs], init: 'normal' },
    { name: names.up, shape: [layer.outputs, layer.rank], init: 'zeros' },
    ...(plan.spec.variant === 'dora'
      ? [{ name: names.magnitude, shape: [layer.outputs], init: 'ones' } as const]
      : []),
  ];
}

/** Every tensor of the adapters, in the order of the forward pass. */
export function adapterWeightSpecs(plan: AdapterPlan): readonly WeightSpec[] {
  return plan.layers.flatMap((layer) => layerSpecs(layer, plan));
}

/** Declares the adapters' weights; what it gives goes to `Bert.declare` or `Llama.declare`. */
export function declareAdapters(program: Program, plan: AdapterPlan): ReadonlyMap<string, LayerAdapter> {
  return new Map(
    plan.layers.map((layer) => {
      const [down, up, magnitude] = layerSpecs(layer, plan).map((spec) =>
        program.variable(spec.name, spec.shape),
      );
      if (down === undefined || up === undefined)
        throw new Error('Internal error: an adapter without A or B.');
      const { scale } = layer;
      return [layer.name, { down, up, scale, ...(magnitude === undefined ? {} : { magnitude }) }];
    }),
  );
}

/**
 * Adapters that change nothing yet, as PEFT starts them: A uniform in ±1/√in (He et al. 2015, with a = √5), B zero,
 * DoRA's magnitudes the lengths of the rows of W.
 *
 * `weights` holds the base weights of the adapted layers; only DoRA reads them.
 */
export function drawAdapters(
  plan: AdapterPlan,
  weights: ReadonlyMap<string, NamedTensor>,
  seed: number,
): readonly NamedTensor[] {
  return plan.layers.flatMap((layer): readonly NamedTensor[] => {
    const names = adapterNames(layer.name);
    const bound = 1 / Math.sqrt(layer.inputs);
    const random = makeRandom(deriveSeed(seed, names.down));
    const down = Float32Array.from({ length: layer.rank * layer.inputs }, () => bound * (2 * random() - 1));
    const tensors = [
      { name: names.down, shape: [layer.rank, layer.inputs], data: down },
      {
        name: names.up,
        shape: [layer.outputs, layer.rank],
        data: new Float32Array(layer.outputs * layer.rank),
      },
    ];
    if (plan.spec.variant !== 'dora') return tensors;
    const base = weights.get(`${layer.name}.weight`);
    if (base === undefined) throw new Error(`Internal error: the weight of ${layer.name} was not given.`);
    return [
      ...tensors,
      { name: names.magnitude, shape: [layer.outputs], data: rowNorms(base.data, layer.inputs) },
    ];
  });
}
