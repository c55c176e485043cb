import {
  Program,
  adamW,
  argMax,
  clipByGlobalNorm,
  constant,
  div,
  gradients,
  maximum,
  softmaxCrossEntropy,
  unpackHalf,
} from '@joyul/compute';
import type { AdamWTarget, EntryBuilder, Tensor, Variable } from '@joyul/compute';
import { Bert } from '@joyul/models';
import type { BatchShape, BertConfig, Pooling } from '@joyul/models';
import type { StateType } from './trunk/trunk-key.ts';

/** What a classifier's program computes. */
export interface ClassifierOptions {
  readonly config: BertConfig;
  readonly classes: number;
  readonly pooling: Pooling;
  /** The first layer that the program holds; its input are the states before it. Absent: ids in, everything held. */
  readonly cut?: number;
  /** How the states before the cut are fed: float16 numbers come two in an int32. The default is float32. */
  readonly stateType?: StateType;
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
}

/** The names of a program's entries. */
export const entryNames = {
  train: (time: number): string => `train-${time}`,
  predict: (time: number): string => `predict-${time}`,
};

interface Forward {
  readonly logits: Tensor;
  readonly features: Tensor;
}

/** The input of an entry as token states [batch·time, hidden]. */
function startOf(builder: EntryBuilder, bert: Bert, options: ClassifierOptions, shape: BatchShape): Tensor {
  const { batch, time } = shape;
  const { hiddenSize } = options.config;
  if (options.cut === undefined) return bert.embed(builder.input('ids', 'int32', [batch, time]), shape);
  return options.stateType === 'float16'
    ? unpackHalf(builder.input('states', 'int32', [batch * time, hiddenSize / 2]))
    : builder.input('states', 'float32', [batch * time, hiddenSize]);
}

/** States or ids in, logits out; declares the entry's inputs. */
function forward(builder: EntryBuilder, bert: Bert, options: ClassifierOptions, shape: BatchShape): Forward {
  const { batch, time } = shape;
  const { config, cut } = options;
  const mask = builder.input('mask', 'float32', [batch, time]);
  const start = startOf(builder, bert, options, shape);
  const states = bert.layers(start, mask, shape, { from: cut ?? 0, to: config.layers });
  const features = bert.pool(states, mask, shape, options.pooling);
  return { features, logits: bert.classify(features) };
}

/** Adds the entry of one training iteration: loss, gradients, clipping and AdamW in one call. */
function addTrainEntry(
  program: Program,
  bert: Bert,
  options: ClassifierOptions,
  update: UpdateOptions,
  time: number,
): void {
  program.entry(entryNames.train(time), (builder) => {
    const shape = { batch: options.batchSize, time };
    const { logits } = forward(builder, bert, options, shape);
    const labels = builder.input('labels', 'int32', [options.batchSize]);
    const weights = update.classWeights;
    const { total, weight } = softmaxCrossEntropy(logits, labels, {
      labelSmoothing: update.labelSmoothing,
      ...(weights === undefined ? {} : { classWeights: constant(weights, [weights.length]) }),
    });
    const loss = div(total, maximum(weight, 1e-12));
    const trained = [...bert.weights.values()].filter((variable) => update.isTrained(variable.name));
    const clipped = clipByGlobalNorm(
      gradients(loss, trained),
      update.maxGradNorm === 0 ? undefined : update.maxGradNorm,
    );
    const rates = {
      encoder: builder.input('learningRate', 'float32', []),
      head: builder.input('headLearningRate', 'float32', []),
    };
    const powers = {
      beta1Power: builder.input('beta1Power', 'float32', []),
      beta2Power: builder.input('beta2Power', 'float32', []),
    };
    const targets = trained.flatMap((variable, index): AdamWTarget[] => {
      const gradient = clipped.gradients[index];
      if (gradient === undefined) return [];
      const learningRate = variable.name.startsWith('classifier.') ? rates.head : rates.encoder;
      return [{ variable, gradient, learningRate, weightDecay: update.weightDecay }];
    });
    return { outputs: { loss, gradientNorm: clipped.norm }, updates: adamW(program, targets, powers) };
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
  for (const time of options.times) {
    addPredictEntry(program, bert, options, time);
    if (update !== undefined) addTrainEntry(program, bert, options, update, time);
  }
  return { program, weights: bert.weights };
}
