/**
 * Reads and writes adapters as Hugging Face's PEFT does: `adapter_config.json` and `adapter_model.safetensors`.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { canonicalName } from '../bert/bert-weights.ts';
import { readTensors, writeTensors } from '../safetensors.ts';
import type { NamedTensor } from '../tensors.ts';
import type { WeightSpec } from '../weight-specs.ts';
import { AdapterError, isAdapterName, nameInBlock, planAdapters } from './adapter-plan.ts';
import type { AdapterPlan, AdapterSpec } from './adapter-plan.ts';
import { adapterWeightSpecs } from './adapter-weights.ts';

const configFile = 'adapter_config.json';
const tensorsFile = 'adapter_model.safetensors';
const outerPrefix = 'base_model.model.';

/** An adapter with its tensors. */
export interface Adapter {
  readonly plan: AdapterPlan;
  /** A, B and DoRA's magnitudes, by the names of the model's own layers. */
  readonly tensors: ReadonlyMap<string, NamedTensor>;
  /** Modules that were trained whole, such as a head. */
  readonly saved: ReadonlyMap<string, NamedTensor>;
}

type Json = Readonly<Record<string, unknown>>;

/** Settings that change what an adapter computes, with the values that are computed here. */
const supported: Readonly<Record<string, readonly unknown[]>> = {
  peft_type: ['LORA'],
  bias: ['none', undefined],
  fan_in_fan_out: [false, undefined, null],
  // The others put a part of W into the adapter: they need a base model that was changed in the same way.
  init_lora_weights: [true, false, 'gaussian', 'orthogonal', 'eva', undefined, null],
  lora_bias: [false, undefined, null],
  use_qalora: [false, undefined, null],
  use_bdlora: [null, undefined],
  megatron_config: [null, undefined],
  layer_replication: [null, undefined],
  target_parameters: [null, undefined],
  trainable_token_indices: [null, undefined],
  alora_invocation_tokens: [null, undefined],
  arrow_config: [null, undefined],
  velora_config: [null, undefined],
  monteclora_config: [null, undefined],
  kasa_config: [null, undefined],
  exclude_modules: [null, undefined],
  layers_pattern: [null, undefined, ''],
};

function checkSupported(json: Json): void {
  const problems = Object.entries(supported).flatMap(([key, allowed]) =>
    allowed.includes(json[key]) || (Array.isArray(json[key]) && json[key].length === 0)
      ? []
      : [`"${key}" is ${JSON.stringify(json[key])}`],
  );
  if (problems.length === 0) return;
  throw new AdapterError(
    `${configFile} asks for what is not computed here: ${problems.join('; ')}.`,
    'LoRA, rsLoRA and DoRA beside linear layers are; merge other adapters with the tool that made them.',
  );
}

function numberOf(json: Json, key: string): number {
  const value = json[key];
  if (typeof value === 'number') return value;
  throw new AdapterError(
    `${configFile}: "${key}" is ${JSON.stringify(value)}, not a number.`,
    'Write the adapter again with the tool that made it.',
  );
}

const wordsOf = (value: unknown): readonly string[] => (Array.isArray(value) ? value.map(String) : []);

/** A record of numbers, or undefined where it is absent or empty. */
function patternOf(value: unknown): Readonly<Record<string, number>> | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const entries = Object.entries(value).map(([key, number]) => [key, Number(number)] as const);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/**
 * The spec that a PEFT configuration describes. Its dropout is left out: it changes nothing but PEFT's own training.
 *
 * @throws AdapterError when it asks for something else than LoRA, rsLoRA or DoRA.
 */
export function parsePeftConfig(json: Json): AdapterSpec {
  checkSupported(json);
  const [isDora, isRootScaled] = [json['use_dora'] === true, json['use_rslora'] === true];
  if (isDora && isRootScaled)
    throw new AdapterError(
      `${configFile} asks for use_dora and use_rslora together.`,
      'Train with one of them, or merge the adapter in Python.',
    );
  const targets = json['target_modules'];
  const layers = json['layers_to_transform'];
  const saved = wordsOf(json['modules_to_save']);
  const [rankPattern, alphaPattern] = [patternOf(json['rank_pattern']), patternOf(json['alpha_pattern'])];
  return {
    variant: isDora ? 'dora' : isRootScaled ? 'rslora' : 'lora',
    rank: numberOf(json, 'r'),
    alpha: numberOf(json, 'lora_alpha'),
    targets: typeof targets === 'string' ? targets : wordsOf(targets),
    ...(Array.isArray(layers) ? { layers: layers.map(Number) } : {}),
    ...(typeof layers === 'number' ? { layers: [layers] } : {}),
    ...(saved.length === 0 ? {} : { modulesToSave: saved }),
    ...(rankPattern === undefined ? {} : { rankPattern }),
    ...(alphaPattern === undefined ? {} : { alphaPattern }),
  };
}

/** A name without what PEFT and Python's classes put in front. */
const stripPrefixes = (name: string): string =>
  canonicalName(name.startsWith(outerPrefix) ? name.slice(outerPrefix.length) : name).replace(
    /\.modules_to_save\.[^.]+\./,
    '.',
  );

function checkTensors(plan: AdapterPlan, tensors: ReadonlyMap<string, NamedTensor>): void {
  const help = 'The adapter belongs to another model, or its two files do not belong together.';
  const wanted = new Map(adapterWeightSpecs(plan).map((spec) => [spec.name, spec.shape]));
  for (const [name, shape] of wanted) {
    const found = tensors.get(name)?.shape;
    if (found === undefined) throw new AdapterError(`${tensorsFile}: ${name} is missing.`, help);
    if (found.join() !== shape.join())
      throw new AdapterError(
        `${tensorsFile}: ${name} has the shape [${found.join(', ')}], but the model needs [${shape.join(', ')}].`,
        help,
      );
  }
  const stray = [...tensors.keys()].find((name) => !wanted.has(name));
  if (stray !== undefined)
    throw new AdapterError(`${tensorsFile}: ${stray} adapts nothing that the model has.`, help);
}

/**
 * Reads a PEFT folder for a model with these weights.
 *
 * @throws AdapterError when it is not LoRA, rsLoRA or DoRA, or does not fit the model.
 */
export async function readAdapter(dir: string, specs: readonly WeightSpec[]): Promise<Adapter> {
  const json = JSON.parse(await readFile(join(dir, configFile), 'utf8')) as Json; // Fields are checked one by one.
  const plan = planAdapters(parsePeftConfig(json), specs);
  const all = (await readTensors(join(dir, tensorsFile))).map((tensor) => ({
    ...tensor,
    // Written with or without `.weight`, depending on PEFT's version.
    name: stripPrefixes(tensor.name).replace(/\.lora_magnitude_vector\.weight$/, '.lora_magnitude_vector'),
  }));
  const byName = (items: readonly NamedTensor[]): ReadonlyMap<string, NamedTensor> =>
    new Map(items.map((tensor) => [tensor.name, tensor]));
  const tensors = byName(all.filter((tensor) => isAdapterName(tensor.name)));
  checkTensors(plan, tensors);
  return { plan, tensors, saved: byName(all.filter((tensor) => !isAdapterName(tensor.name))) };
}

/** How an adapter is written. */
export interface WriteAdapterOptions {
  /** What the model is for, in PEFT's words. */
  readonly taskType: 'CAUSAL_LM' | 'SEQ_CLS' | 'FEATURE_EXTRACTION';
  /** Where Python finds the base model: a folder, or a name on the Hugging Face hub. */
  readonly baseModel: string;
  /** What the Python class puts in front of the names of the trunk, such as `bert.`; modules that are saved whole have none. */
  readonly prefix?: string;
}

/** Targets that name the plan's layers, and no others, in Python too. */
function exactTargets(
  plan: AdapterPlan,
  specs: readonly WeightSpec[],
): Pick<AdapterSpec, 'targets' | 'layers'> {
  const { targets, layers } = plan.spec;
  if (typeof targets !== 'string') return { targets, ...(layers === undefined ? {} : { layers }) };
  const names = plan.layers.map((layer) => layer.name);
  const ends = [...new Set(names.map(nameInBlock))];
  const again = planAdapters({ ...plan.spec, targets: ends }, specs).layers.map((layer) => layer.name);
  if (again.join() === names.join()) return { targets: ends, ...(layers === undefined ? {} : { layers }) };
  return { targets: names };
}

/** `adapter_config.json` for a plan. */
function makePeftConfig(adapter: Adapter, specs: readonly WeightSpec[], options: WriteAdapterOptions): Json {
  const { spec } = adapter.plan;
  const { targets, layers } = exactTargets(adapter.plan, specs);
  return {
    alpha_pattern: spec.alphaPattern ?? {},
    auto_mapping: null,
    base_model_name_or_path: options.baseModel,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: null,
    layers_to_transform: layers ?? null,
    lora_alpha: spec.alpha,
    lora_dropout: 0,
    modules_to_save: spec.modulesToSave ?? null,
    peft_type: 'LORA',
    r: spec.rank,
    rank_pattern: spec.rankPattern ?? {},
    target_modules: targets,
    task_type: options.taskType,
    use_dora: spec.variant === 'dora',
    use_rslora: spec.variant === 'rslora',
  };
}

/** Writes a folder that {@link readAdapter} and Python's `PeftModel.from_pretrained` open; `specs` are the model's. */
export async function writeAdapter(
  dir: string,
  adapter: Adapter,
  specs: readonly WeightSpec[],
  options: WriteAdapterOptions,
): Promise<void> {
  const { prefix = '' } = options;
  await mkdir(dir, { recursive: true });
  await writeTensors(join(dir, tensorsFile), [
    ...[...adapter.tensors.values()].map((tensor) => ({
      ...tensor,
      name: `${outerPrefix}${prefix}${tensor.name}`,
    })),
    ...[...adapter.saved.values()].map((tensor) => ({ ...tensor, name: `${outerPrefix}${tensor.name}` })),
  ]);
  await writeFile(
    join(dir, configFile),
    `${JSON.stringify(makePeftConfig(adapter, specs, options), null, 2)}\n`,
  );
}
