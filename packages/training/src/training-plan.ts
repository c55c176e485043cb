import { chooseBackend, predictMemory } from '@joyul/compute';
import type { ChosenPrecision, MemoryPrediction } from '@joyul/compute';
import { bertWeightSpecs, blockOf, isAdapterName } from '@joyul/models';
import { adaptedBlocks } from './adapters.ts';
import type { Example } from './batches.ts';
import { chooseBuckets } from './batches.ts';
import type { ClassifierOptions, ClassifierUpdate } from './classifier-program.ts';
import { makeClassifierProgram } from './classifier-program.ts';
import { checkMemory, countCopies } from './memory-plan.ts';
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
  const { model, hparams, train, validation, backend, scratchDir } = options;
  const cut = cutOf(options);
  const { options: settings, update } = makeSettings(options, cut === undefined ? undefined : { cut });
  const { program, weights } = makeClassifierProgram(settings, update);
  const tokens = [...train, ...validation].reduce(
    (sum, example) => sum + Math.min(example.ids.length, hparams.max_length),
    0,
  );
  const stateBytes = cut === undefined ? 0 : Math.min(heldStateBytes, tokens * model.config.hiddenSize * 2);
  const trained = [...weights.values()].filter(({ name }) => update.isTrained(name));
  return predictMemory(program, {
    backend: chooseBackend(backend).name,
    matmul: precision.name,
    copiedBytes: stateBytes + countCopies(bertWeightSpecs(model.config), trained, scratchDir !== undefined),
  });
}

/**
 * What training a classifier will take of memory.
 *
 * @throws TrainingError with the first change that would fit when there is not so much.
 */
export const checkClassifierMemory = (options: TrainOptions, precision: ChosenPrecision): MemoryPrediction =>
  checkMemory(options, (changed) => predict(changed, precision));
