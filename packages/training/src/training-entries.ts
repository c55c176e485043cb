import {
  accumulate,
  adamWOptimizer,
  clipByGlobalNorm,
  declareScalars,
  div,
  gradients,
  maximum,
  mul,
  takeAccumulated,
} from '@joyul/compute';
import type { CrossEntropy, EntryBuilder, Optimizer, Program, Tensor, Update, UpdateTarget, Variable } from '@joyul/compute'; // prettier-ignore

/** How weights are updated, whatever the task. */
export interface UpdateOptions {
  /** Whether a weight is trained, by its name. */
  readonly isTrained: (name: string) => boolean;
  readonly weightDecay: number;
  /** 0 means no clipping. */
  readonly maxGradNorm: number;
  /** Absent means AdamW. */
  readonly optimizer?: Optimizer;
  /** A weight's share of the learning rate, by its name; absent means 1 for all. */
  readonly rateShareOf?: (name: string) => number;
  /** Which weights decay: `matrices` leaves biases and norms out. The default is `all`. */
  readonly decay?: 'all' | 'matrices';
  /** Whether micro-batches add up before an update. */
  readonly accumulates?: boolean;
}

/** The names of the entries that train; the suffix tells the shape of the batch. */
export const trainingEntries = {
  train: (suffix: string): string => `train-${suffix}`,
  accumulate: (suffix: string): string => `accumulate-${suffix}`,
  update: 'update',
};

/** The loss of batches of one shape; declares the inputs of the entry. */
export interface BatchLoss {
  readonly suffix: string;
  readonly makeLoss: (builder: EntryBuilder) => CrossEntropy;
}

/** What is trained, and how. */
export interface Training {
  readonly program: Program;
  readonly options: UpdateOptions;
  /** All weights of which {@link UpdateOptions.isTrained} chooses. */
  readonly weights: Iterable<Variable>;
  /** The input with a weight's learning rate, by the weight's name; the default is `learningRate` for all. */
  readonly rateInputOf?: (name: string) => string;
}

interface Chosen extends Training {
  readonly trained: readonly Variable[];
  /** Absent for no clipping. */
  readonly maxNorm: number | undefined;
}

/** The learning rate of each weight, as a tensor; each input and each share of it is made once. */
function makeRates(
  builder: EntryBuilder,
  { trained, options, rateInputOf = () => 'learningRate' }: Chosen,
): (name: string) => Tensor {
  const { rateShareOf = () => 1 } = options;
  const inputs = new Set(trained.map((variable) => rateInputOf(variable.name)));
  const rates = new Map([...inputs].map((input) => [input, builder.input(input, 'float32', [])]));
  const shared = new Map<string, Tensor>();
  return (name) => {
    const input = rateInputOf(name);
    const rate = rates.get(input);
    if (rate === undefined) throw new Error(`Internal error: ${name} has no learning rate.`);
    const share = rateShareOf(name);
    if (share === 1) return rate;
    const key = `${input} ${share}`;
    const known = shared.get(key) ?? mul(rate, share);
    shared.set(key, known);
    return known;
  };
}

/** The optimizer's updates of all trained weights; declares the learning rates and the optimizer's scalars. */
function makeUpdates(builder: EntryBuilder, chosen: Chosen, clipped: readonly Tensor[]): readonly Update[] {
  const { program, options, trained } = chosen;
  const { optimizer = adamWOptimizer(), decay = 'all' } = options;
  const rateOf = makeRates(builder, chosen);
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
function addTrainEntry(chosen: Chosen, { suffix, makeLoss }: BatchLoss): void {
  const { program, trained, maxNorm } = chosen;
  program.entry(trainingEntries.train(suffix), (builder) => {
    const { total, weight } = makeLoss(builder);
    const loss = div(total, maximum(weight, 1e-12));
    const clipped = clipByGlobalNorm(gradients(loss, trained), maxNorm);
    return {
      outputs: { loss, weight, gradientNorm: clipped.norm },
      updates: makeUpdates(builder, chosen, clipped.gradients),
    };
  });
}

/** Adds the entry of one micro-batch. */
function addAccumulateEntry({ program, trained }: Chosen, { suffix, makeLoss }: BatchLoss): void {
  program.entry(trainingEntries.accumulate(suffix), (builder) => {
    const loss = makeLoss(builder);
    return {
      outputs: { weight: loss.weight },
      updates: accumulate(program, trained, gradients(loss.total, trained), loss),
    };
  });
}

/** Adds the entry that ends an iteration of several micro-batches. */
function addUpdateEntry(chosen: Chosen): void {
  const { program, trained, maxNorm } = chosen;
  program.entry(trainingEntries.update, (builder) => {
    const { gradients: clipped, norm, loss, resets } = takeAccumulated(program, trained, maxNorm);
    return {
      outputs: { loss, gradientNorm: norm },
      updates: [...makeUpdates(builder, chosen, clipped), ...resets],
    };
  });
}

/**
 * Adds what trains on batches of some shapes.
 *
 * Without accumulation `train` is a whole iteration. With it `accumulate` sees one micro-batch, and `update` is the
 * iteration's end, which gives the loss and the gradient norm of all micro-batches as one batch.
 */
export function addTrainingEntries(training: Training, losses: readonly BatchLoss[]): void {
  const { weights, options } = training;
  const trained = [...weights].filter((variable) => options.isTrained(variable.name));
  const maxNorm = options.maxGradNorm === 0 ? undefined : options.maxGradNorm;
  const chosen = { ...training, trained, maxNorm };
  const addEntry = options.accumulates === true ? addAccumulateEntry : addTrainEntry;
  for (const loss of losses) addEntry(chosen, loss);
  if (options.accumulates === true) addUpdateEntry(chosen);
}
