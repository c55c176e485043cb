import {
  Program,
  accumulate,
  adamWOptimizer,
  argMax,
  clipByGlobalNorm,
  constant,
  declareScalars,
  div,
  gradients,
  maximum,
  mul,
  softmaxCrossEntropy,
  takeAccumulated,
} from '@joyul/compute';
import type { EntryBuilder, Optimizer, Tensor, Update, UpdateTarget, Variable } from '@joyul/compute';
import { Bert } from '@joyul/models';
import type { BatchShape, BertConfig, Pooling } from '@joyul/models';

/** What a classifier's program computes. */
export interface ClassifierOptions {
  readonly config: BertConfig;
  readonly classes: number;
  readonly pooling: Pooling;
  /** The first layer that the program holds; its input are the states before it. Absent: ids in, everything held. */
  readonly cut?: number;
  /** Examples in a batch. */
  readonly batchSize: number;
  /** Padded lengths; each gets entries of its own. */
  readonly times: readonly number[];
}

/** How weights are updated. */
export interface UpdateOptions {
  /** Whether a weight is trained, by its name. */
  readonly isTrained: (name: string) => boolean;
  readonly weightDecay: number;
  readonly maxGradNorm: number;
  readonly labelSmoothing: number;
  /** One weight a class; absent for equal ones. */
  readonly classWeights?: Float32Array;
  /** Absent means AdamW. */
  readonly optimizer?: Optimizer;
  /** A weight's share of the learning rate, by its name; absent means 1 for all. */
  readonly rateShareOf?: (name: string) => number;
  /** Which weights decay: `matrices` leaves biases and norms out. The default is `all`. */
  readonly decay?: 'all' | 'matrices';
  /** Whether micro-batches add up before an update. */
  readonly accumulates?: boolean;
}

/**
 * The names of a program's entries.
 *
 * Without accumulation `train` is a whole iteration. With it `accumulate` sees one micro-batch, and `update` is the
 * iteration's end, which gives the loss and the gradient norm of all micro-batches as one batch.
 */
export const entryNames = {
  train: (time: number): string => `train-${time}`,
  accumulate: (time: number): string => `accumulate-${time}`,
  update: 'update',
  predict: (time: number): string => `predict-${time}`,
};

interface Forward {
  readonly logits: Tensor;
  readonly features: Tensor;
}

/** States or ids in, logits out; declares the entry's inputs. */
function forward(builder: EntryBuilder, bert: Bert, options: ClassifierOptions, shape: BatchShape): Forward {
  const { batch, time } = shape;
  const { config, cut } = options;
  const mask = builder.input('mask', 'float32', [batch, time]);
  const start =
    cut === undefined
      ? bert.embed(builder.input('ids', 'int32', [batch, time]), shape)
      : builder.input('states', 'float32', [batch * time, config.hiddenSize]);
  const states = bert.layers(start, mask, shape, { from: cut ?? 0, to: config.layers });
  const features = bert.pool(states, mask, shape, options.pooling);
  return { features, logits: bert.classify(features) };
}

/** What is trained, and how. */
interface Training {
  readonly program: Program;
  readonly options: UpdateOptions;
  readonly trained: readonly Variable[];
  /** Absent for no clipping. */
  readonly maxNorm: number | undefined;
}

function makeTraining(program: Program, bert: Bert, options: UpdateOptions): Training {
  const trained = [...bert.weights.values()].filter((variable) => options.isTrained(variable.name));
  return { program, options, trained, maxNorm: options.maxGradNorm === 0 ? undefined : options.maxGradNorm };
}

/** The summed loss of a batch and its weight; declares the entry's inputs. */
function lossOf(
  builder: EntryBuilder,
  bert: Bert,
  options: ClassifierOptions & UpdateOptions,
  time: number,
): ReturnType<typeof softmaxCrossEntropy> {
  const { logits } = forward(builder, bert, options, { batch: options.batchSize, time });
  const labels = builder.input('labels', 'int32', [options.batchSize]);
  const { classWeights: weights } = options;
  return softmaxCrossEntropy(logits, labels, {
    labelSmoothing: options.labelSmoothing,
    ...(weights === undefined ? {} : { classWeights: constant(weights, [weights.length]) }),
  });
}

/** The optimizer's updates of all trained weights; declares the learning rates and the optimizer's scalars. */
function makeUpdates(
  builder: EntryBuilder,
  { program, options, trained }: Training,
  clipped: readonly Tensor[],
): readonly Update[] {
  const { optimizer = adamWOptimizer(), rateShareOf = () => 1, decay = 'all' } = options;
  const rates = {
    encoder: builder.input('learningRate', 'float32', []),
    head: builder.input('headLearningRate', 'float32', []),
  };
  const shared = new Map<string, Tensor>();
  const rateOf = (name: string): Tensor => {
    const isHead = name.startsWith('classifier.');
    const rate = isHead ? rates.head : rates.encoder;
    const share = rateShareOf(name);
    if (share === 1) return rate;
    const key = `${isHead} ${share}`;
    const known = shared.get(key) ?? mul(rate, share);
    shared.set(key, known);
    return known;
  };
  const targets = trained.flatMap((variable, index): readonly UpdateTarget[] => {
    const gradient = clipped[index];
    if (gradient === undefined) return [];
    const decays = decay === 'all' || variable.shape.length >= 2;
    const weightDecay = decays ? options.weightDecay : 0;
    return [{ variable, gradient, learningRate: rateOf(variable.name), weightDecay }];
  });
  return optimizer.makeUpdates(program, targets, declareScalars(builder, optimizer));
}

/** Adds the entry of one training iteration: loss, gradients, clipping and the optimizer in one call. */
function addTrainEntry(training: Training, bert: Bert, options: ClassifierOptions, time: number): void {
  const { program, trained, maxNorm } = training;
  program.entry(entryNames.train(time), (builder) => {
    const { total, weight } = lossOf(builder, bert, { ...options, ...training.options }, time);
    const loss = div(total, maximum(weight, 1e-12));
    const clipped = clipByGlobalNorm(gradients(loss, trained), maxNorm);
    return {
      outputs: { loss, gradientNorm: clipped.norm },
      updates: makeUpdates(builder, training, clipped.gradients),
    };
  });
}

/** Adds the entry of one micro-batch. */
function addAccumulateEntry(training: Training, bert: Bert, options: ClassifierOptions, time: number): void {
  const { program, trained } = training;
  program.entry(entryNames.accumulate(time), (builder) => {
    const loss = lossOf(builder, bert, { ...options, ...training.options }, time);
    return {
      outputs: { weight: loss.weight },
      updates: accumulate(program, trained, gradients(loss.total, trained), loss),
    };
  });
}

/** Adds the entry that ends an iteration of several micro-batches. */
function addUpdateEntry(training: Training): void {
  const { program, trained, maxNorm } = training;
  program.entry(entryNames.update, (builder) => {
    const { gradients: clipped, norm, loss, resets } = takeAccumulated(program, trained, maxNorm);
    return {
      outputs: { loss, gradientNorm: norm },
      updates: [...makeUpdates(builder, training, clipped), ...resets],
    };
  });
}

function addPredictEntry(program: Program, bert: Bert, options: ClassifierOptions, time: number): void {
  program.entry(entryNames.predict(time), (builder) => {
    const { logits, features } = forward(builder, bert, options, { batch: options.batchSize, time });
    return { outputs: { logits, features, predicted: argMax(logits) } };
  });
}

/** A classifier's program, with entries to predict, and to train when `update` is given. */
export function makeClassifierProgram(
  options: ClassifierOptions,
  update?: UpdateOptions,
): { readonly program: Program; readonly weights: ReadonlyMap<string, Variable> } {
  const program = new Program();
  const bert = Bert.declare(program, options.config, {
    classes: options.classes,
    ...(options.cut === undefined ? {} : { from: options.cut }),
  });
  for (const time of options.times) addPredictEntry(program, bert, options, time);
  if (update !== undefined) {
    const training = makeTraining(program, bert, update);
    const addEntry = update.accumulates === true ? addAccumulateEntry : addTrainEntry;
    for (const time of options.times) addEntry(training, bert, options, time);
    if (update.accumulates === true) addUpdateEntry(training);
  }
  return { program, weights: bert.weights };
}
