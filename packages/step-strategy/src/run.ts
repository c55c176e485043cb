import { availableParallelism } from 'node:os';
import { StepFailure } from '@joyul/plugin-api';
import type { StepContext } from '@joyul/plugin-api';
import { makeRandom, openTokenizer, readDataset, shuffle } from '@joyul/data';
import type { DatasetHeader } from '@joyul/data';
import { crossValidateProbe, fitBagOfWords, percent } from '@joyul/metrics';
import { AdapterError, blockOf, lowestAdaptedBlock, planAdapters, weightSpecsOf } from '@joyul/models';
import type { AdapterPlan, AdapterSpec, BertFolder, ModelFolder } from '@joyul/models';
import {
  encodeFeatures,
  encodeRows,
  findCut,
  openEncoder,
  openLanguageModel,
  writeStrategy,
} from '@joyul/training';
import type { Endpoint, LanguageModel, Strategy, StrategyAlternative } from '@joyul/training';
import { decide } from './decide.ts';
import type { Evidence } from './decide.ts';
import type { StrategyParams } from './index.ts';
import { decideLanguage, measureTask } from './language.ts';

type Ports = {
  readonly dataset: { readonly type: 'dataset' };
  readonly model: { readonly type: 'base-model' };
};
/** What the step's files use of its context. */
export type Context = StepContext<
  StrategyParams,
  Ports,
  { readonly strategy: { readonly type: 'strategy' } }
>;

/** The top layers of a model, by name. */
function topLayers(model: ModelFolder, count: number): readonly string[] {
  const { layers } = model.config;
  return Array.from(
    { length: Math.min(count, layers) },
    (_, index) => `layer.${layers - Math.min(count, layers) + index}`,
  );
}

/** The blocks that a param names; unknown names are refused all at once. */
function resolveBlocks(model: ModelFolder, blocks: StrategyParams['blocks']): readonly string[] {
  if (typeof blocks === 'string') return topLayers(model, Number(blocks.slice('top:'.length)));
  const known = model.blocks.filter((block) => block !== 'classifier');
  const unknown = blocks.filter((block) => !known.includes(block));
  if (unknown.length > 0)
    throw new StepFailure('UNKNOWN_BLOCK', `The model has no block ${unknown.join(', ')}.`, {
      help: `Its blocks are ${known.join(', ')}.`,
    });
  return known.filter((block) => blocks.includes(block));
}

/** The adapters that the params describe. */
const specOf = ({ variant, rank, alpha, targets }: StrategyParams): AdapterSpec => ({
  variant,
  rank,
  alpha,
  targets,
});

/** The layers that get adapters; targets that name none are refused. */
function planFor(model: ModelFolder, spec: AdapterSpec): AdapterPlan {
  try {
    return planAdapters(spec, weightSpecsOf(model));
  } catch (error) {
    if (error instanceof AdapterError)
      throw new StepFailure('ADAPTER', error.message, { help: error.help, cause: error });
    throw error;
  }
}

/** Numbers in the adapters of a plan. */
const countAdapters = (plan: AdapterPlan): number =>
  plan.layers.reduce(
    (sum, { rank, inputs, outputs }) =>
      sum + rank * (inputs + outputs) + (plan.spec.variant === 'dora' ? outputs : 0),
    0,
  );

/** Accuracy of the words-only baseline by two-fold cross-validation. */
function measureWords(texts: readonly string[], labels: readonly number[], classes: number): number {
  const halves = [0, 1].map((half) => labels.flatMap((_, row) => (row % 2 === half ? [row] : [])));
  const right = halves.map((rows, index) => {
    const others = halves[1 - index] ?? [];
    const model = fitBagOfWords(
      rows.map((row) => texts[row] ?? ''),
      rows.map((row) => labels[row] ?? 0),
      classes,
    );
    return model
      .predict(others.map((row) => texts[row] ?? ''))
      .filter(
        (probabilities, at) => probabilities.indexOf(Math.max(...probabilities)) === labels[others[at] ?? 0],
      ).length;
  });
  return right.reduce((sum, count) => sum + count, 0) / Math.max(1, labels.length);
}

async function measure(model: BertFolder, context: Context): Promise<Evidence> {
  const { params, inputs, seed, backend, signal, sharedDir, emit } = context;
  const dataset = await readDataset(inputs.dataset);
  const all = await dataset.rows('train');
  const rows = shuffle(all, makeRandom(seed)).slice(0, params.max_rows);
  const { labels } = dataset.header;
  const tokenizer = await openTokenizer(inputs.model);
  const examples = encodeRows(rows, tokenizer, labels, params.max_length);
  const depths = Array.from({ length: model.config.layers + 1 }, (_, layer) => layer);
  const { width, byLayer } = await encodeFeatures(model, examples, {
    layers: depths,
    pooling: params.pooling,
    padId: tokenizer.padId,
    signal,
    sharedDir,
    ...(backend === undefined ? {} : { backend }),
    onProgress: (done, total) => {
      emit({ type: 'progress', activity: 'measuring depth', done, total, unit: 'texts' });
    },
  });
  const truth = examples.map((example) => example.label);
  const depthProfile = depths.map((layer) => {
    const answers = crossValidateProbe(
      byLayer.get(layer) ?? new Float32Array(),
      width,
      truth,
      labels.length,
      3,
    );
    return answers.filter((answer, row) => answer === truth[row]).length / Math.max(1, truth.length);
  });
  return {
    rows: all.length,
    classes: labels.length,
    depthProfile,
    bagOfWords: measureWords(
      rows.map((row) => row.text),
      truth,
      labels.length,
    ),
    cores: availableParallelism(),
    weights: model.weightCount,
  };
}

/** Weights in some blocks. */
function countWeights(model: ModelFolder): (blocks: readonly string[]) => number {
  const counts = new Map<string, number>();
  for (const { name, shape } of weightSpecsOf(model)) {
    const block = blockOf(name) ?? '';
    counts.set(block, (counts.get(block) ?? 0) + shape.reduce((size, length) => size * length, 1));
  }
  return (blocks) => blocks.reduce((sum, block) => sum + (counts.get(block) ?? 0), 0);
}

/**
 * The cost of an epoch in forward passes: a trained layer costs its forward pass and twice that backward;
 * layers below the cut cost nothing, since their states are computed once.
 */
function relativeCost(blocks: readonly string[], layers: number): number {
  const cut = blocks.length === 0 ? layers : (findCut(blocks, layers) ?? 0);
  return (3 * (layers - cut)) / layers;
}

/** Adapters need gradients of states down to the lowest of them, but none of the frozen weights: two passes, not three. */
function adapterCost(plan: AdapterPlan, layers: number): number {
  return (2 * (layers - lowestAdaptedBlock(plan))) / layers;
}

function describeAlternatives(
  model: ModelFolder,
  count: (blocks: readonly string[]) => number,
  plan: AdapterPlan,
): readonly StrategyAlternative[] {
  const body = model.blocks.filter((block) => block !== 'classifier');
  const rows: readonly (readonly [StrategyAlternative['method'], readonly string[], string])[] = [
    ...(model.architecture === 'bert'
      ? [['extract', [], 'a new head on frozen features; not fine-tuning'] as const]
      : [['prompt', [], 'an instruction and examples that are searched for; not fine-tuning'] as const]),
    ['repurpose', topLayers(model, 1), 'the top layer'],
    ['repurpose', topLayers(model, 2), 'the top two layers'],
    ['full', body, 'every weight'],
  ];
  const trained = rows.map(([method, blocks, note]) => ({
    method,
    blocks,
    note,
    trainableWeights: count(blocks),
    relativeCost: relativeCost(blocks, model.config.layers),
  }));
  const adapters: StrategyAlternative = {
    method: 'lora',
    blocks: [],
    note: `rank-${plan.spec.rank} adapters beside ${plan.layers.length} frozen linear layers`,
    trainableWeights: countAdapters(plan),
    relativeCost: adapterCost(plan, model.config.layers),
  };
  return [...trained.slice(0, -1), adapters, ...trained.slice(-1)];
}

interface Choice {
  readonly method: Strategy['method'];
  readonly blocks: readonly string[];
  readonly adapters?: AdapterSpec;
  readonly endpoint?: Endpoint;
  readonly reason: string;
  readonly evidence: Readonly<Record<string, unknown>>;
}

/** Who is asked in the place of the model, if anyone. */
function endpointOf({ endpoint }: StrategyParams): { readonly endpoint?: Endpoint } {
  if (endpoint === undefined) return {};
  const { url, model, api_key_from: keyVariable } = endpoint;
  return { endpoint: { url, model, ...(keyVariable === undefined ? {} : { keyVariable }) } };
}

/** Only conversations hold questions that can be asked. */
function requireQuestions({ method }: StrategyParams, { task }: DatasetHeader): void {
  if (method !== 'prompt' || task === 'chat') return;
  const isLabelled = task === 'classification';
  throw new StepFailure(
    'NO_QUESTIONS',
    `method: prompt asks questions, and this data set has ${isLabelled ? 'labelled texts' : 'plain texts'} without any.`,
    {
      help: isLabelled
        ? "Make questions of them in prepare, such as `question: 'Which intent has this message? {text}'`, and select a language model; the labels are then the answers."
        : 'Give prepare conversations, or choose another method.',
    },
  );
}

/** What the params say without a look at the data; undefined for auto. */
function takeGiven(model: ModelFolder, params: StrategyParams): Choice | undefined {
  const body = model.blocks.filter((block) => block !== 'classifier');
  const given = { reason: 'the pipeline says so', evidence: {} };
  switch (params.method) {
    case 'full':
      return { method: 'full', blocks: body, ...given };
    case 'extract':
      if (model.architecture !== 'bert')
        throw new StepFailure(
          'NO_FEATURES',
          'method: extract trains a new head, and a language model gets none.',
          {
            help: 'Write method: lora, repurpose or full.',
          },
        );
      return { method: 'extract', blocks: [], ...given };
    case 'lora':
      return { method: 'lora', blocks: [], adapters: specOf(params), ...given };
    case 'prompt':
      return { method: 'prompt', blocks: [], ...endpointOf(params), ...given };
    case 'repurpose':
      return { method: 'repurpose', blocks: resolveBlocks(model, params.blocks), ...given };
    case 'auto':
      return undefined;
  }
}

async function decideForClassifier(model: BertFolder, context: Context): Promise<Choice> {
  const { params, emit } = context;
  const evidence = await measure(model, context);
  const decision = decide(evidence);
  evidence.depthProfile.forEach((y, x) => {
    emit({ type: 'curve', name: 'probe accuracy by layer', x, y, xUnit: 'layer' });
  });
  return {
    method: decision.method,
    blocks:
      decision.method === 'full'
        ? model.blocks.filter((block) => block !== 'classifier')
        : topLayers(model, decision.top),
    ...(decision.method === 'lora' ? { adapters: specOf(params) } : {}),
    reason: decision.reason,
    evidence: { ...evidence, confidence: decision.confidence },
  };
}

async function decideForLanguage(language: LanguageModel, context: Context): Promise<Choice> {
  const { params, emit } = context;
  const { model } = language;
  const evidence = await measureTask(language, context);
  const decision = decideLanguage(evidence);
  emit({
    type: 'finding',
    text: `The model finds ${evidence.bitsPerByte.toFixed(2)} bits of news in a byte of what it is to learn, ${evidence.targets} tokens in all.`,
  });
  return {
    method: decision.method,
    blocks:
      decision.method === 'full'
        ? model.blocks
        : decision.method === 'repurpose'
          ? topLayers(model, decision.top)
          : [],
    ...(decision.method === 'lora' ? { adapters: specOf(params) } : {}),
    reason: decision.reason,
    evidence: { ...evidence, confidence: decision.confidence },
  };
}

/** Opens the model for the data's task, and chooses. */
async function choose(context: Context): Promise<{ readonly model: ModelFolder; readonly choice: Choice }> {
  const { inputs, params, emit } = context;
  const { header } = await readDataset(inputs.dataset);
  requireQuestions(params, header);
  const tellConfidence = ({ evidence }: Choice): void => {
    emit({
      type: 'finding',
      text: `Confidence ${String(evidence['confidence'])}; the rule's thresholds are starting points, and the test step shows whether it paid.`,
    });
  };
  const decideWith = async <Model>(
    model: ModelFolder,
    opened: Model,
    decideFor: (opened: Model, context: Context) => Promise<Choice>,
  ): Promise<{ readonly model: ModelFolder; readonly choice: Choice }> => {
    const given = takeGiven(model, params);
    if (given !== undefined) return { model, choice: given };
    const choice = await decideFor(opened, context);
    tellConfidence(choice);
    return { model, choice };
  };
  if (header.task === 'classification') {
    const model = await openEncoder(inputs.model);
    return decideWith(model, model, decideForClassifier);
  }
  const language = await openLanguageModel(inputs.model);
  return decideWith(language.model, language, decideForLanguage);
}

const names: Readonly<Record<Strategy['method'], string>> = {
  full: 'Full fine-tuning',
  repurpose: 'Repurposing (a part of the layers is fine-tuned)',
  lora: 'LoRA (low-rank adapters beside frozen weights)',
  extract: 'Feature extraction, which is not fine-tuning',
  prompt: 'Prompting, which is not fine-tuning',
};

/** What is trained, after the method's name. */
function describeExtent({ method, blocks, adapters, endpoint }: Choice, plan: AdapterPlan): string {
  if (method === 'prompt')
    return `: no weight changes${endpoint === undefined ? '' : `, and ${endpoint.model} at ${new URL(endpoint.url).host} is asked`}`;
  if (adapters !== undefined)
    return `: ${adapters.variant === 'lora' ? '' : `${adapters.variant} `}rank ${adapters.rank}, beside ${plan.layers.length} linear layers`;
  if (blocks.length === 0) return '';
  return method === 'full' ? ', every block' : `: ${blocks.join(', ')}`;
}

/** Decides and writes the strategy. */
export async function runStrategy(context: Context): Promise<void> {
  const { outputs, params, emit } = context;
  const { model, choice } = await choose(context);
  const count = countWeights(model);
  const plan = planFor(model, specOf(params));
  const alternatives = describeAlternatives(model, count, plan);
  const hasAdapters = choice.adapters !== undefined;
  await writeStrategy(outputs.strategy, {
    version: 1,
    ...choice,
    isFineTuning: hasAdapters || choice.blocks.length > 0,
    pooling: params.pooling,
    alternatives,
  });
  const share = percent((hasAdapters ? countAdapters(plan) : count(choice.blocks)) / model.weightCount);
  emit({
    type: 'finding',
    weight: 'headline',
    text: `${names[choice.method]}${describeExtent(choice, plan)}${choice.method === 'prompt' ? '' : ` (${share} ${hasAdapters ? 'as many weights as the model has' : 'of the pretrained weights'})`}, because ${choice.reason}.`,
  });
  emit({
    type: 'table',
    title: 'What each way would cost',
    columns: ['method', 'trains', 'M weights', 'cost of an epoch (forward passes)'],
    rows: alternatives.map((item) => [
      item.method,
      item.note,
      Number((item.trainableWeights / 1e6).toFixed(2)),
      Number(item.relativeCost.toFixed(2)),
    ]),
  });
}
