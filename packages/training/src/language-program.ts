import { Program, adamW, clipByGlobalNorm, div, gradients, maximum, reshape } from '@joyul/compute';
import type { EntryBuilder, Tensor, Variable } from '@joyul/compute';
import { Llama } from '@joyul/models';
import type { AttentionContext, BatchShape, LayerAdapter, LlamaConfig } from '@joyul/models';

/** What a language model's program computes. */
export interface LanguageOptions {
  readonly config: LlamaConfig;
  readonly adapters?: (program: Program) => ReadonlyMap<string, LayerAdapter>;
  /** Batches that the program is made for; each gets entries of its own. */
  readonly shapes: readonly BatchShape[];
}

/** How weights are updated. */
export interface LanguageUpdate {
  readonly trained: (name: string) => boolean;
  readonly weightDecay: number;
  /** 0 means no clipping. */
  readonly maxGradNorm: number;
}

const suffix = ({ batch, time }: BatchShape): string => `${batch}x${time}`;

/** The names of a program's entries. */
export const languageEntries = {
  train: (shape: BatchShape): string => `train-${suffix(shape)}`,
  evaluate: (shape: BatchShape): string => `evaluate-${suffix(shape)}`,
};

/** Ids [batch, time] and the token that follows each [batch·time] in, summed loss out. */
function forward(
  builder: EntryBuilder,
  llama: Llama,
  context: AttentionContext,
  shape: BatchShape,
): { readonly total: Tensor; readonly weight: Tensor } {
  const { batch, time } = shape;
  const ids = builder.input('ids', 'int32', [batch, time]);
  const next = builder.input('next', 'int32', [batch, time]);
  const states = llama.layers(llama.embed(ids, shape), context, shape);
  return llama.loss(states, reshape(next, [batch * time]));
}

function addTrainEntry(
  program: Program,
  { llama, adapters }: Language,
  update: LanguageUpdate,
  shape: BatchShape,
): void {
  program.entry(languageEntries.train(shape), (builder) => {
    const { total, weight } = forward(builder, llama, llama.causalContext(shape.time), shape);
    const loss = div(total, maximum(weight, 1));
    const trained = [...llama.weights.values(), ...adapters].filter(({ name }) => update.trained(name));
    const clipped = clipByGlobalNorm(
      gradients(loss, trained),
      update.maxGradNorm === 0 ? undefined : update.maxGradNorm,
    );
    const learningRate = builder.input('learningRate', 'float32', []);
    const powers = {
      beta1Power: builder.input('beta1Power', 'float32', []),
      beta2Power: builder.input('beta2Power', 'float32', []),
    };
    const targets = trained.flatMap((variable, index) => {
      const gradient = clipped.gradients[index];
      return gradient === undefined
        ? []
        : [{ variable, gradient, learningRate, weightDecay: update.weightDecay }];
    });
    return {
      outputs: { loss, weight, gradientNorm: clipped.norm },
      updates: adamW(program, targets, powers),
    };
  });
}

function addEvaluateEntry(program: Program, { llama }: Language, shape: BatchShape): void {
  program.entry(languageEntries.evaluate(shape), (builder) => ({
    outputs: { ...forward(builder, llama, llama.causalContext(shape.time), shape) },
  }));
}

/** A decoder and the variables of its adapters. */
interface Language {
  readonly llama: Llama;
  readonly adapters: readonly Variable[];
}

/** A language model's program, with entries to evaluate, and to train when `update` is given. */
export function makeLanguageProgram(
  options: LanguageOptions,
  update?: LanguageUpdate,
): { readonly program: Program; readonly llama: Llama; readonly adapters: readonly Variable[] } {
  const program = new Program();
  const adapters = options.adapters?.(program) ?? new Map<string, LayerAdapter>();
  const llama = Llama.declare(program, options.config, { adapters });
  const language = { llama, adapters: [...adapters.values()].flatMap(({ down, up }) => [down, up]) };
  for (const shape of options.shapes) {
    addEvaluateEntry(program, language, shape);
    if (update !== undefined) addTrainEntry(program, language, update, shape);
  }
  return { program, ...language };
}
