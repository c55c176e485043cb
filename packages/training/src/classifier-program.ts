import { Program, argMax, constant, softmaxCrossEntropy, unpackHalf } from '@joyul/compute';
import type { CrossEntropy, EntryBuilder, Tensor, Variable } from '@joyul/compute';
import { Bert, declareAdapters } from '@joyul/models';
import type { AdapterPlan, BatchShape, BertConfig, Pooling } from '@joyul/models';
import { addTrainingEntries, trainingEntries } from './training-entries.ts';
import type { UpdateOptions } from './training-entries.ts';
import type { StateType } from './trunk/trunk-key.ts';

/** What a classifier's program computes. */
export interface ClassifierOptions {
  readonly config: BertConfig;
  readonly classes: number;
  readonly pooling: Pooling;
  /** The first layer that the program holds; its input are the states before it. Absent: ids in, everything held. */
  readonly cut?: number;
  /** Layers with adapters, none of them below the cut. */
  readonly adapters?: AdapterPlan;
  /** How the states before the cut are fed: float16 numbers come two in an int32. The default is float32. */
  readonly stateType?: StateType;
  /** Examples in a batch. */
  readonly batchSize: number;
  /** Padded lengths; each gets entries of its own. */
  readonly times: readonly number[];
  /** Whether layers are computed again in the backward pass, which takes less memory and more time. */
  readonly checkpointing?: boolean;
}

/** How a classifier is trained. */
export interface ClassifierUpdate extends UpdateOptions {
  readonly labelSmoothing: number;
  /** One weight a class; absent for equal ones. */
  readonly classWeights?: Float32Array;
}

/** The names of a program's entries, by the padded length; `update` ends an iteration of several micro-batches. */
export const entryNames = {
  train: (time: number): string => trainingEntries.train(String(time)),
  accumulate: (time: number): string => trainingEntries.accumulate(String(time)),
  update: trainingEntries.update,
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
  const states = bert.layers(start, mask, shape, {
    from: cut ?? 0,
    to: config.layers,
    checkpointing: options.checkpointing === true,
  });
  const features = bert.pool(states, mask, shape, options.pooling);
  return { features, logits: bert.classify(features) };
}

/** The summed loss of a batch and its weight; declares the entry's inputs. */
function lossOf(
  builder: EntryBuilder,
  bert: Bert,
  options: ClassifierOptions & ClassifierUpdate,
  time: number,
): CrossEntropy {
  const { logits } = forward(builder, bert, options, { batch: options.batchSize, time });
  const labels = builder.input('labels', 'int32', [options.batchSize]);
  const { classWeights: weights } = options;
  return softmaxCrossEntropy(logits, labels, {
    labelSmoothing: options.labelSmoothing,
    ...(weights === undefined ? {} : { classWeights: constant(weights, [weights.length]) }),
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
  update?: ClassifierUpdate,
): { readonly program: Program; readonly weights: ReadonlyMap<string, Variable> } {
  const program = new Program();
  const adapters = options.adapters === undefined ? undefined : declareAdapters(program, options.adapters);
  const bert = Bert.declare(program, options.config, {
    classes: options.classes,
    ...(options.cut === undefined ? {} : { from: options.cut }),
    ...(adapters === undefined ? {} : { adapters }),
  });
  const weights = new Map(program.variables.map((variable) => [variable.name, variable] as const));
  for (const time of options.times) addPredictEntry(program, bert, options, time);
  if (update !== undefined) {
    const rateInputOf = (name: string): string =>
      name.startsWith('classifier.') ? 'headLearningRate' : 'learningRate';
    addTrainingEntries(
      { program, options: update, weights: weights.values(), rateInputOf },
      options.times.map((time) => ({
        suffix: String(time),
        makeLoss: (builder) => lossOf(builder, bert, { ...options, ...update }, time),
      })),
    );
  }
  return { program, weights };
}
