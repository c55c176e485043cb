import { Program, add, causalBias, forbid, gather, notEqual, reshape } from '@joyul/compute';
import type { CrossEntropy, EntryBuilder, HeadCrossEntropyOptions, Tensor, Variable } from '@joyul/compute';
import { Llama, declareAdapters } from '@joyul/models';
import type { AdapterPlan, AttentionContext, CacheShape, LlamaConfig } from '@joyul/models';
import { addTrainingEntries, trainingEntries } from '../training-entries.ts';
import type { UpdateOptions } from '../training-entries.ts';
import { addGeneratorEntries } from './generator.ts';

/** A batch of one static shape. */
export interface LanguageShape {
  readonly batch: number;
  /** Tokens of a row. */
  readonly time: number;
  /** Tokens of the batch that are predicted; absent means all, batch·time. The head is computed for these only. */
  readonly targets?: number;
  /** Whether rows hold several texts, which do not see each other. */
  readonly isPacked?: boolean;
}

/** What a language model's program computes. */
export interface LanguageOptions {
  readonly config: LlamaConfig;
  /** Adapters beside its linear layers; absent means none. */
  readonly adapters?: AdapterPlan;
  /** Batches that the program is made for; each gets entries of its own. */
  readonly shapes: readonly LanguageShape[];
  /** The first layer that the program holds; its input are the states before it. Absent: ids in, everything held. */
  readonly cut?: number;
  /** Whether layers are computed again in the backward pass instead of being kept. The default is false. */
  readonly checkpointing?: boolean;
  /** Room for texts that the program continues besides; absent: none are. */
  readonly samples?: CacheShape;
}

/** How a language model is trained. */
export interface LanguageUpdate extends UpdateOptions {
  readonly labelSmoothing: number;
}

/** What tells the entries for batches of a shape from others. */
export const suffixOf = ({ batch, time, targets, isPacked }: LanguageShape): string =>
  `${batch}x${time}${targets === undefined ? '' : `-${targets}`}${isPacked === true ? '-packed' : ''}`;

/** The names of a program's entries; `update` ends an iteration of several micro-batches. */
export const languageEntries = {
  train: (shape: LanguageShape): string => trainingEntries.train(suffixOf(shape)),
  accumulate: (shape: LanguageShape): string => trainingEntries.accumulate(suffixOf(shape)),
  update: trainingEntries.update,
  evaluate: (shape: LanguageShape): string => `evaluate-${suffixOf(shape)}`,
};

/** Tokens see those before them in their own text; positions begin anew with each text. Declares what tells them apart. */
function packedContext(
  builder: EntryBuilder,
  llama: Llama,
  { batch, time }: LanguageShape,
): AttentionContext {
  const segments = builder.input('segments', 'int32', [batch, time]);
  const positions = builder.input('positions', 'int32', [batch, time]);
  const { headDim } = llama.config;
  const isOther = notEqual(reshape(segments, [batch, 1, time, 1]), reshape(segments, [batch, 1, 1, time]));
  const { cosine, sine } = llama.ropeTables(time);
  const turn = (table: Tensor): Tensor => reshape(gather(table, positions), [batch, 1, time, headDim / 2]);
  return {
    bias: add(forbid(isOther), causalBias(time)), // [batch, 1, time, time]
    rope: { cosine: turn(cosine), sine: turn(sine) },
  };
}

/** A decoder, and what is known of how it is trained. */
interface Language {
  readonly llama: Llama;
  readonly options: LanguageOptions;
  /** Absent for evaluation. */
  readonly update?: LanguageUpdate;
}

/** Which gradients the head will be asked for. */
function trainsOf({ llama, update }: Language): NonNullable<HeadCrossEntropyOptions['trains']> {
  const isTrained = update?.isTrained ?? ((): boolean => false);
  return { states: update !== undefined, head: isTrained(llama.headName) };
}

/** The summed loss of a batch and the number of its targets; declares the entry's inputs. */
function lossOf(builder: EntryBuilder, language: Language, shape: LanguageShape): CrossEntropy {
  const { llama, options, update } = language;
  const { batch, time, targets = batch * time } = shape;
  const { cut, checkpointing = false } = options;
  const { layers, hiddenSize } = llama.config;
  const start =
    cut === undefined
      ? llama.embed(builder.input('ids', 'int32', [batch, time]), shape)
      : builder.input('states', 'float32', [batch * time, hiddenSize]);
  const context = shape.isPacked === true ? packedContext(builder, llama, shape) : llama.causalContext(time);
  const range = { from: cut ?? 0, to: layers, checkpointing: checkpointing && update !== undefined };
  const states = llama.layers(start, context, shape, range);
  const next = builder.input('next', 'int32', [targets]);
  const chosen =
    shape.targets === undefined ? states : gather(states, builder.input('rows', 'int32', [targets]));
  return llama.loss(chosen, next, {
    labelSmoothing: update?.labelSmoothing ?? 0,
    ...(update === undefined ? {} : { trains: trainsOf(language) }),
  });
}

/** A language model's program, with entries to evaluate, and to train when `update` is given. */
export function makeLanguageProgram(
  options: LanguageOptions,
  update?: LanguageUpdate,
): { readonly program: Program; readonly weights: ReadonlyMap<string, Variable> } {
  const { config, shapes, cut } = options;
  const program = new Program();
  const llama = Llama.declare(program, config, {
    ...(options.adapters === undefined ? {} : { adapters: declareAdapters(program, options.adapters) }),
    ...(cut === undefined ? {} : { from: cut }),
  });
  for (const shape of shapes) {
    program.entry(languageEntries.evaluate(shape), (builder) => ({
      outputs: { ...lossOf(builder, { llama, options }, shape) },
    }));
  }
  const weights = new Map(program.variables.map((variable) => [variable.name, variable]));
  if (update !== undefined)
    addTrainingEntries(
      { program, options: update, weights: weights.values() },
      shapes.map((shape) => ({
        suffix: suffixOf(shape),
        makeLoss: (builder) => lossOf(builder, { llama, options, update }, shape),
      })),
    );
  // Last: its room is no weight.
  if (options.samples !== undefined)
    addGeneratorEntries(program, llama, options.samples, [options.samples.context]);
  return { program, weights };
}
