import { availableMemory, chooseBackend, predictMemory, sizeOf } from '@joyul/compute';
import type { ChosenPrecision, MemoryPrediction, Variable } from '@joyul/compute';
import { bertWeightSpecs, blockOf, isAdapterName } from '@joyul/models';
import { adaptedBlocks } from './adapters.ts';
import type { Example } from './batches.ts';
import { chooseBuckets } from './batches.ts';
import type { ClassifierOptions, ClassifierUpdate } from './classifier-program.ts';
import { makeClassifierProgram } from './classifier-program.ts';
import type { Hparams } from './formats.ts';
import { requireMemory } from './memory-plan.ts';
import type { MemoryAlternative } from './memory-plan.ts';
import type { TrainOptions } from './train-options.ts';
import type { StateType } from './trunk/trunk-key.ts';
import { optimizerOf, rateShareOf } from './update-rule.ts';

/** States of frozen layers are held in memory up to this size; beyond it they are read from the disk. */
const heldStateBytes = 512e6;

/** The first layer that training changes, when everything below it can be computed once. */
export function findCut(blocks: readonly string[], layers: number): number | undefined {
  if (blocks.includes('embeddings')) return undefined;
  const trained = blocks.flatMap((block) => /^layer\.(\d+)$/.exec(block)?.[1] ?? []).map(Number);
  const cut = Math.min(layers, ...trained);
  return cut === 0 ? undefined : cut;
}

/** Weighs each class by rows / (classes · rows of the class), as scikit-learn's `balanced` does. */
export function balanceClasses(examples: readonly Example[], classes: number): Float32Array {
  const counts = new Float32Array(classes);
  for (const { label } of examples) if (label >= 0) counts[label] = (counts[label] ?? 0) + 1;
  return counts.map((count) => (count === 0 ? 0 : examples.length / (classes * count)));
}

/** The lowest layer that a training changes, or undefined where that is the lowest of all. */
export function cutOf({ adapter, strategy, model }: TrainOptions): number | undefined {
  const adapted = adapter === undefined ? [] : adaptedBlocks(adapter.plan);
  return findCut([...strategy.blocks, ...adapted], model.config.layers);
}

/** What is computed, and how it is updated; `key` stands for the functions in it. */
export interface ProgramSettings {
  readonly options: ClassifierOptions;
  readonly update: ClassifierUpdate;
  readonly key: readonly unknown[];
}

/** The program of a training; `trunk` says how the states below the cut come in. */
export function makeSettings(
  options: TrainOptions,
  trunk: { readonly cut: number; readonly stateType?: StateType } | undefined,
): ProgramSettings {
  const { model, strategy, hparams, labels, train, validation } = options;
  const plan = options.adapter?.plan;
  const blocks = [...new Set([...strategy.blocks, 'classifier'])].sort();
  const { optimizer, momentum, nesterov, layer_lr_decay } = hparams;
  return {
    options: {
      config: model.config,
      classes: labels.length,
      pooling: strategy.pooling,
      batchSize: hparams.batch_size,
      times: chooseBuckets(
        [...train, ...validation].map((example) => Math.min(example.ids.length, hparams.max_length)),
      ),
      checkpointing: hparams.gradient_checkpointing,
      ...trunk,
      ...(plan === undefined ? {} : { adapters: plan }),
    },
    update: {
      isTrained: (name) => isAdapterName(name) || blocks.includes(blockOf(name) ?? ''),
      weightDecay: hparams.weight_decay,
      maxGradNorm: hparams.max_grad_norm,
      labelSmoothing: hparams.label_smoothing,
      optimizer: optimizerOf(hparams),
      rateShareOf: (name) => rateShareOf(name, model.config.layers, layer_lr_decay),
      decay: hparams.decay,
      accumulates: hparams.gradient_accumulation_steps > 1,
      ...(hparams.class_weights === 'balanced' ? { classWeights: balanceClasses(train, labels.length) } : {}),
    },
    key: [blocks, optimizer, momentum, nesterov, layer_lr_decay],
  };
}

/** Predicts a training's memory. */
function predict(options: TrainOptions, precision: ChosenPrecision): MemoryPrediction {
  const { model, hparams, train, validation, backend } = options;
  const cut = cutOf(options);
  const { options: settings, update } = makeSettings(options, cut === undefined ? undefined : { cut });
  const { program, weights } = makeClassifierProgram(settings, update);
  const tokens = [...train, ...validation].reduce(
    (sum, example) => sum + Math.min(example.ids.length, hparams.max_length),
    0,
  );
  const stateBytes = cut === undefined ? 0 : Math.min(heldStateBytes, tokens * model.config.hiddenSize * 2);
  return predictMemory(program, {
    backend: chooseBackend(backend).name,
    matmul: precision.name,
    copiedBytes: stateBytes + countCopies(options, [...weights.values()], update.isTrained),
  });
}

/** The weights as they were, the best ones, and what a checkpoint holds while it is written. */
function countCopies(
  { model, scratchDir }: TrainOptions,
  weights: readonly Variable[],
  isTrained: (name: string) => boolean,
): number {
  const trained = weights
    .filter(({ name }) => isTrained(name))
    .reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const all = bertWeightSpecs(model.config).reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  return 4 * (all + trained * (scratchDir === undefined ? 1 : 4));
}

/** Ways to train with less memory, those that change the least first. */
function listAlternatives(options: TrainOptions, precision: ChosenPrecision): readonly MemoryAlternative[] {
  const { hparams, strategy, model } = options;
  const change = (text: string, changes: Partial<Hparams>): MemoryAlternative => ({
    change: `${text} in the hparams step`,
    predict: () => predict({ ...options, hparams: { ...hparams, ...changes } }, precision),
  });
  const checkpointed = '`gradient_checkpointing: true`';
  const smaller = [2, 4, 8, 16].flatMap((divisor): MemoryAlternative[] => {
    const size = hparams.batch_size / divisor;
    if (!Number.isInteger(size)) return [];
    const batch = `\`batch_size: ${size}\` with \`gradient_accumulation_steps: ${divisor}\``;
    return [
      change(batch, { batch_size: size }),
      change(`${batch} and ${checkpointed}`, { batch_size: size, gradient_checkpointing: true }),
    ];
  });
  const shorter = Math.floor(hparams.max_length / 2);
  const top = `layer.${model.config.layers - 1}`;
  return [
    ...(hparams.gradient_checkpointing ? [] : [change(checkpointed, { gradient_checkpointing: true })]),
    ...smaller,
    change(`\`max_length: ${shorter}\``, { max_length: shorter }),
    {
      change: `\`method: repurpose\` with \`blocks: [${top}]\` in the strategy step`,
      predict: () => predict({ ...options, strategy: { ...strategy, blocks: [top] } }, precision),
    },
  ];
}

/**
 * What training will take of memory.
 *
 * @throws TrainingError with the first change that would fit when there is not so much.
 */
export function checkMemory(options: TrainOptions, precision: ChosenPrecision): MemoryPrediction {
  const memory = predict(options, precision);
  const limit = options.memoryLimitBytes ?? process.memoryUsage.rss() + availableMemory();
  requireMemory(memory, limit, listAlternatives(options, precision));
  return memory;
}
