import type { WeightSpec } from '../weight-specs.ts';

/** How adapters beside linear layers are made; the words are those of PEFT's LoraConfig. */
export interface AdapterSpec {
  /**
   * `lora`: W + (α/r)·B·A (Hu et al. 2021). `rslora`: with α/√r, so that higher ranks learn as fast
   * (Kalajdzievski 2023). `dora`: direction by LoRA, the length of each row apart (Liu et al. 2024).
   */
  readonly variant: 'lora' | 'rslora' | 'dora';
  /** r, the width between A and B. */
  readonly rank: number;
  /** α, which the product is scaled with. */
  readonly alpha: number;
  /** Ends of layer names, such as `q_proj`; or `all-linear`; or a regular expression for whole names. */
  readonly targets: readonly string[] | string;
  /** Numbers of the blocks that get adapters; absent means all. */
  readonly layers?: readonly number[];
  /** Modules that are trained whole and kept with the adapter, such as a new head. */
  readonly modulesToSave?: readonly string[];
  /** Ranks of some layers, by a regular expression for the end of their names. */
  readonly rankPattern?: Readonly<Record<string, number>>;
  /** α of some layers, in the same way. */
  readonly alphaPattern?: Readonly<Record<string, number>>;
}

/** A linear layer that gets an adapter. */
export interface AdaptedLayer {
  /** Without `.weight`, such as `model.layers.0.self_attn.q_proj`. */
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly rank: number;
  /** α/r, or α/√r for rsLoRA. */
  readonly scale: number;
}

/** Which layers of a model get adapters, in the order of the forward pass. */
export interface AdapterPlan {
  readonly spec: AdapterSpec;
  readonly layers: readonly AdaptedLayer[];
}

/** Adapters cannot be made or read so; `help` says what to write instead. */
export class AdapterError extends Error {
  readonly help: string;

  constructor(message: string, help: string) {
    super(message);
    this.name = 'AdapterError';
    this.help = help;
  }
}

/** The names of an adapter's tensors, as PEFT writes them. */
export const adapterNames = (layer: string): Readonly<Record<'down' | 'up' | 'magnitude', string>> => ({
  down: `${layer}.lora_A.weight`,
  up: `${layer}.lora_B.weight`,
  magnitude: `${layer}.lora_magnitude_vector`,
});

/** Whether a tensor belongs to an adapter, by its name. */
export const isAdapterName = (name: string): boolean =>
  /\.lora_(?:[AB]\.weight|magnitude_vector)$/.test(name);

/** The number of the block that a layer belongs to: the first number in its name. */
export function blockNumber(layer: string): number {
  return Number(/\.(\d+)\./.exec(layer)?.[1] ?? -1);
}

/** A layer's name inside its block, such as `self_attn.q_proj`. */
export const nameInBlock = (layer: string): string => layer.replace(/^.*?\.\d+\./, '');

/** The linear layers of a model's numbered blocks; embeddings and heads are outside of them. */
export function linearLayers(specs: readonly WeightSpec[]): readonly Omit<AdaptedLayer, 'rank' | 'scale'>[] {
  return specs.flatMap(({ name, shape }) => {
    const [outputs, inputs] = shape;
    const layer = /^(.*\.\d+\..*)\.weight$/.exec(name)?.[1];
    if (layer === undefined || inputs === undefined || outputs === undefined || shape.length !== 2) return [];
    return [{ name: layer, inputs, outputs }];
  });
}

/** A regular expression that is the user's own. */
function compile(pattern: string, wrap: (pattern: string) => string): RegExp {
  try {
    return new RegExp(wrap(pattern));
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AdapterError(
      `The targets "${pattern}" are not a regular expression: ${reason}`,
      'Write a list of layer names, `all-linear`, or a regular expression for whole names.',
    );
  }
}

/** The names under which Python models know a layer: BERT's classes put `bert.` in front. */
const pythonNames = (layer: string): readonly string[] => [layer, `bert.${layer}`];

function matchTargets(targets: AdapterSpec['targets']): (layer: string) => boolean {
  if (targets === 'all-linear') return () => true;
  if (typeof targets === 'string') {
    const pattern = compile(targets, (source) => `^(?:${source})$`);
    return (layer) => pythonNames(layer).some((name) => pattern.test(name));
  }
  return (layer) =>
    pythonNames(layer).some((name) => targets.some((end) => name === end || name.endsWith(`.${end}`)));
}

function findPattern(
  patterns: Readonly<Record<string, number>> | undefined,
  layer: string,
): number | undefined {
  return Object.entries(patterns ?? {}).find(([pattern]) => {
    const end = compile(pattern, (source) => `^(?:.*\\.)?(?:${source})$`);
    return pythonNames(layer).some((name) => end.test(name));
  })?.[1];
}

/** The name with the most letter pairs in common, where there are any. */
function findSimilar(word: string, names: readonly string[]): string | undefined {
  const pairs = (text: string): ReadonlySet<string> =>
    new Set(Array.from({ length: Math.max(0, text.length - 1) }, (_, at) => text.slice(at, at + 2)));
  const own = pairs(word);
  const scored = names.map((name) => {
    const others = pairs(name);
    const common = [...own].filter((pair) => others.has(pair)).length;
    return { name, score: (2 * common) / Math.max(1, own.size + others.size) };
  });
  const best = scored.sort((left, right) => right.score - left.score)[0];
  return best !== undefined && best.score >= 0.4 ? best.name : undefined;
}

function refuseUnknown(word: string, ends: readonly string[]): never {
  const lastNames = [...new Set(ends.map((end) => end.replace(/^.*\./, '')))];
  const similar = findSimilar(word, [...lastNames, ...ends]);
  const guess = similar === undefined ? '' : `Did you mean "${similar}"? `;
  throw new AdapterError(
    `No linear layer of the model is called "${word}".`,
    `${guess}Its linear layers are ${ends.join(', ')}; all-linear means all of them.`,
  );
}

/** What is wrong with the numbers of a spec is said before anything is computed. */
function checkNumbers({ rank, alpha, rankPattern = {}, layers }: AdapterSpec, blocks: number): void {
  const wrong = [rank, ...Object.values(rankPattern)].find((value) => !Number.isInteger(value) || value < 1);
  if (wrong !== undefined)
    throw new AdapterError(
      `The rank ${wrong} is not a whole number of at least 1.`,
      'Write a rank such as 8.',
    );
  if (!(alpha > 0)) throw new AdapterError(`alpha is ${alpha}, but must be above 0.`, 'Write alpha: 16.');
  const outside = layers?.find((layer) => layer < 0 || layer >= blocks);
  if (outside !== undefined)
    throw new AdapterError(
      `There is no block ${outside}: the model has ${blocks}, counted from 0.`,
      `Write numbers from 0 to ${blocks - 1}.`,
    );
}

/**
 * Chooses the layers that get adapters, as PEFT does.
 *
 * @throws AdapterError when a target names no layer.
 */
export function planAdapters(spec: AdapterSpec, specs: readonly WeightSpec[]): AdapterPlan {
  const all = linearLayers(specs);
  checkNumbers(spec, new Set(all.map((layer) => blockNumber(layer.name))).size);
  const ends = [...new Set(all.map((layer) => nameInBlock(layer.name)))];
  const { targets } = spec;
  if (typeof targets !== 'string') {
    for (const target of targets) {
      if (!all.some((layer) => matchTargets([target])(layer.name))) refuseUnknown(target, ends);
    }
  }
  const isTarget = matchTargets(targets);
  const chosen = all.filter(
    ({ name }) => isTarget(name) && (spec.layers === undefined || spec.layers.includes(blockNumber(name))),
  );
  if (chosen.length === 0) refuseUnknown(typeof targets === 'string' ? targets : targets.join(', '), ends);
  return {
    spec,
    layers: chosen.map((layer) => {
      const rank = findPattern(spec.rankPattern, layer.name) ?? spec.rank;
      const alpha = findPattern(spec.alphaPattern, layer.name) ?? spec.alpha;
      return { ...layer, rank, scale: alpha / (spec.variant === 'rslora' ? Math.sqrt(rank) : rank) };
    }),
  };
}

/** The number of the lowest block with an adapter: gradients end there, and everything below can be computed once. */
export function lowestAdaptedBlock(plan: AdapterPlan): number {
  return Math.min(...plan.layers.map((layer) => blockNumber(layer.name)));
}
