import { createHash } from 'node:crypto';
import { chooseBackend, choosePrecision, predictMemory } from '@joyul/compute';
import type { ChosenPrecision, MemoryPrediction } from '@joyul/compute';
import { blockOf, isAdapterName, llamaWeightSpecs } from '@joyul/models';
import { checkMemory, countCopies } from '../memory-plan.ts';
import { runTraining } from '../run-training.ts';
import { TrainingError, requireRows } from '../train-options.ts';
import { optimizerOf, rateShareOf } from '../update-rule.ts';
import { withWorkshop } from '../workshop.ts';
import type { ToolPlan, Workshop } from '../workshop.ts';
import { layOut } from './batch-layout.ts';
import type { BatchLayout } from './batch-layout.ts';
import { countTargets } from './language-batch.ts';
import type { LanguageExample } from './language-batch.ts';
import type { LanguageTrainOptions, LanguageTrainResult } from './language-options.ts';
import { makeLanguageProgram } from './language-program.ts';
import type { LanguageOptions, LanguageUpdate } from './language-program.ts';
import { makeLanguageTask } from './language-task.ts';
import { makeSampler, planSamples } from './sample-answers.ts';

function digestExamples(examples: readonly LanguageExample[]): string {
  const hash = createHash('sha256');
  for (const { ids, labels } of examples)
    for (const { buffer, byteOffset, byteLength } of [Int32Array.of(ids.length), ids, labels])
      hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest('hex');
}

const cutExamples = (examples: readonly LanguageExample[], length: number): readonly LanguageExample[] =>
  examples.map(({ ids, labels }) => ({ ids: ids.subarray(0, length), labels: labels.subarray(0, length) }));

/** The examples of a split, cut to the length that counts; those without a token to learn are left out. */
function prepareSplit(
  { hparams, onWarning, ...splits }: LanguageTrainOptions,
  split: 'train' | 'validation',
): readonly LanguageExample[] {
  const cut = cutExamples(splits[split], hparams.max_length);
  const kept = cut.filter((example) => countTargets(example) > 0);
  if (kept.length < cut.length)
    onWarning?.(
      `${cut.length - kept.length} of ${cut.length} texts in the ${split} split have no token to learn among their first ${hparams.max_length}; they are left out.`,
    );
  return kept;
}

/** What is trained and how, besides the weights. */
interface LanguagePlan {
  readonly layout: BatchLayout;
  readonly options: LanguageOptions;
  readonly update: LanguageUpdate;
  readonly tool: ToolPlan;
}

function makePlan(given: LanguageTrainOptions): LanguagePlan {
  const { model, strategy, hparams, seed, packing, adapter } = given;
  const { config } = model;
  const { optimizer, momentum, nesterov, layer_lr_decay } = hparams;
  const layout = layOut({
    config,
    // Cut once more: a prediction may ask what shorter texts would take.
    train: cutExamples(given.train, hparams.max_length),
    validation: cutExamples(given.validation, hparams.max_length),
    seed,
    batchSize: hparams.batch_size,
    maxLength: hparams.max_length,
    ...(packing === undefined ? {} : { packing }),
  });
  const blocks = [...new Set(strategy.blocks)].sort();
  const samples = planSamples(given);
  const options: LanguageOptions = {
    config,
    shapes: layout.shapes,
    checkpointing: hparams.gradient_checkpointing,
    ...(adapter === undefined ? {} : { adapters: adapter.plan }),
    ...(samples === undefined ? {} : { samples }),
  };
  const update: LanguageUpdate = {
    isTrained: (name) => isAdapterName(name) || blocks.includes(blockOf(name) ?? ''),
    weightDecay: hparams.weight_decay,
    maxGradNorm: hparams.max_grad_norm,
    labelSmoothing: hparams.label_smoothing,
    optimizer: optimizerOf(hparams),
    rateShareOf: (name) => rateShareOf(name, config.layers, layer_lr_decay),
    decay: hparams.decay,
    accumulates: hparams.gradient_accumulation_steps > 1,
  };
  const key = ['language', options, update, blocks, optimizer, momentum, nesterov, layer_lr_decay];
  return { layout, options, update, tool: { key, make: () => makeLanguageProgram(options, update) } };
}

function predict(options: LanguageTrainOptions, precision: ChosenPrecision): MemoryPrediction {
  const { model, scratchDir, backend } = options;
  const { tool, update } = makePlan(options);
  const { program, weights } = tool.make();
  const trained = [...weights.values()].filter(({ name }) => update.isTrained(name));
  return predictMemory(program, {
    backend: chooseBackend(backend).name,
    matmul: precision.name,
    copiedBytes: countCopies(llamaWeightSpecs(model.config), trained, scratchDir !== undefined),
  });
}

/** Refuses a strategy that trains nothing. */
function requireTrained({ model, strategy, adapter }: LanguageTrainOptions): void {
  if (adapter !== undefined || strategy.blocks.some((block) => model.blocks.includes(block))) return;
  throw new TrainingError(
    'NO_GRADIENT',
    'The strategy trains no block of the model, and no adapter.',
    `Name at least one of its blocks, such as ${model.blocks.at(-2) ?? 'layer.0'}, or train an adapter.`,
  );
}

/**
 * Trains a language model on texts whose labels say which tokens count, from the model's weights: some of its blocks,
 * or an adapter. The weights of the evaluation with the lowest loss are kept.
 *
 * Checkpoints go to `scratchDir` at each evaluation and every `saveSteps` iterations; a run that finds its own goes on
 * exactly, and so does one that `takePrefix` gives the end of a run with fewer epochs.
 *
 * @throws TrainingError when memory would run out, the loss is not finite, or nothing can be learned.
 */
export async function trainLanguageModel(options: LanguageTrainOptions): Promise<LanguageTrainResult> {
  requireTrained(options);
  const train = prepareSplit(options, 'train');
  const validation = prepareSplit(options, 'validation');
  requireRows(train, validation);
  return withWorkshop(options.workshop, (workshop) => trainIn(workshop, { ...options, train, validation }));
}

async function trainIn(workshop: Workshop, options: LanguageTrainOptions): Promise<LanguageTrainResult> {
  const { model, hparams, train, validation, backend, adapter, strategy } = options;
  const precision = await choosePrecision(hparams.precision, chooseBackend(backend).name);
  const memory = checkMemory(options, (changed) => predict(changed, precision));
  const before = new Map([...(await workshop.readWeights(model)), ...(adapter?.tensors ?? [])]);
  const { layout, update, tool: plan, options: settings } = makePlan(options);
  const tool = await workshop.openTool(plan, {
    matmul: precision.name,
    ...(backend === undefined ? {} : { backend }),
  });
  const { learning_rate: learningRate } = hparams;
  const { session } = tool;
  const sample = settings.samples && makeSampler(session, options, settings.samples);
  return runTraining({
    options,
    task: makeLanguageTask({
      session,
      layout,
      train,
      validation,
      learningRate,
      ...(sample === undefined ? {} : { sample }),
    }),
    tool,
    isTrained: update.isTrained,
    before,
    adapters: adapter?.plan,
    identity: [strategy, layout.isPacked, digestExamples(train), digestExamples(validation)],
    precision,
    memory,
    onStart: (start) => options.onStart?.({ ...start, layout }),
  });
}
