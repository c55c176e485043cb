import {
  Program,
  argMax,
  concat,
  countCorrect,
  equal,
  forbid,
  gather,
  matMul,
  maximum,
  mul,
  reshape,
  rsqrt,
  slice,
  softmaxCrossEntropy,
  square,
  sum,
  add,
} from '@joyul/compute';
import type { CrossEntropy, EntryBuilder, Tensor, Variable } from '@joyul/compute';
import { Bert, declareAdapters } from '@joyul/models';
import type { AdapterPlan, BatchShape, BertConfig, BertDropout, Pooling } from '@joyul/models';
import { addTrainingEntries, trainingEntries } from '../training-entries.ts';
import type { UpdateOptions } from '../training-entries.ts';
import type { Objective } from './encoder-options.ts';
import { countMasked } from './mask-words.ts';

/** What divides similarities (Gao et al. 2021). */
const temperature = 0.05;

/** What an encoder's program computes. */
export interface EncoderOptions {
  readonly config: BertConfig;
  readonly objective: Objective;
  readonly pooling: Pooling;
  /** Texts in a batch. */
  readonly batchSize: number;
  /** Padded lengths; each gets entries of its own. */
  readonly times: readonly number[];
  readonly dropout: BertDropout['rates'];
  readonly adapters?: AdapterPlan;
  readonly checkpointing?: boolean;
}

/** The names of a program's entries, by the padded length; `embed` is there for the contrastive objective. */
export const encoderEntries = {
  train: (time: number): string => trainingEntries.train(String(time)),
  evaluate: (time: number): string => `evaluate-${time}`,
  embed: (time: number): string => `embed-${time}`,
};

interface Encoder {
  readonly bert: Bert;
  readonly options: EncoderOptions;
  readonly isTraining: boolean;
}

/** Ids and mask [batch, time]; declares the entry's inputs. */
function inputsOf(builder: EntryBuilder, { batch, time }: BatchShape): { ids: Tensor; mask: Tensor } {
  return {
    ids: builder.input('ids', 'int32', [batch, time]),
    mask: builder.input('mask', 'float32', [batch, time]),
  };
}

/** Token states [batch·time, hidden], with what is dropped on the way. */
function statesOf(
  { bert, options, isTraining }: Encoder,
  { ids, mask }: { readonly ids: Tensor; readonly mask: Tensor },
  shape: BatchShape,
  seed?: Tensor,
): Tensor {
  const dropout = seed === undefined ? undefined : { rates: options.dropout, seed };
  return bert.layers(bert.embed(ids, shape, dropout), mask, shape, {
    from: 0,
    to: options.config.layers,
    checkpointing: isTraining && options.checkpointing === true,
    ...(dropout === undefined ? {} : { dropout }),
  });
}

/** x / ‖x‖ of rows. */
const toUnit = (x: Tensor): Tensor => mul(x, rsqrt(maximum(sum(square(x), [1], true), 1e-16)));

/** The loss of a batch, and the vectors of length 1 of both passes [2·batch, hidden]. */
interface ContrastiveLoss extends CrossEntropy {
  readonly units: Tensor;
}

/**
 * −log exp(cos(zᵢ, zᵢ⁺)/τ) / Σⱼ exp(cos(zᵢ, zⱼ⁺)/τ): the features of a text beside those of the same texts in a second
 * pass, which drops other places (Gao et al. 2021). Labels are the rows' own numbers, or −100 for rows without a text.
 */
function contrastiveLoss(builder: EntryBuilder, encoder: Encoder, time: number): ContrastiveLoss {
  const { bert, options } = encoder;
  const { batchSize: batch, config } = options;
  const { ids, mask } = inputsOf(builder, { batch, time });
  const labels = builder.input('labels', 'int32', [batch]);
  const seed = builder.input('seed', 'int32', [1]);
  const shape = { batch: 2 * batch, time };
  const twice = { ids: concat([ids, ids], 0), mask: concat([mask, mask], 0) };
  const states = statesOf(encoder, twice, shape, seed);
  const units = toUnit(bert.pool(states, twice.mask, shape, options.pooling)); // [2·batch, hidden]
  const half = (from: number): Tensor => slice(units, [from, 0], [batch, config.hiddenSize]);
  const similarities = mul(matMul(half(0), half(batch), { transposeB: true }), 1 / temperature); // [batch, batch]
  const empty = reshape(forbid(equal(labels, -100)), [1, batch]);
  return { ...softmaxCrossEntropy(add(similarities, empty), labels), units };
}

/** The loss of guessing masked words, and how many are right. */
interface MaskedLoss extends CrossEntropy {
  /** [words to guess, vocabulary] */
  readonly logits: Tensor;
  readonly correct: Tensor;
}

/** −log softmax(logits)[word] of the tokens in `rows`; targets of −100 do not count. Drops only while training. */
function maskedLoss(builder: EntryBuilder, encoder: Encoder, time: number): MaskedLoss {
  const { bert, options, isTraining } = encoder;
  const shape = { batch: options.batchSize, time };
  const inputs = inputsOf(builder, shape);
  const count = countMasked(shape);
  const rows = builder.input('rows', 'int32', [count]);
  const words = builder.input('words', 'int32', [count]);
  const seed = isTraining ? builder.input('seed', 'int32', [1]) : undefined;
  const states = statesOf(encoder, inputs, shape, seed);
  const logits = bert.guessWords(gather(states, rows)); // [count, vocabulary]
  return { ...softmaxCrossEntropy(logits, words), logits, correct: countCorrect(argMax(logits), words) };
}

function addEvaluateEntries(program: Program, encoder: Encoder, time: number): void {
  const { bert, options } = encoder;
  const isContrastive = options.objective === 'contrastive';
  const lossOf = isContrastive ? contrastiveLoss : maskedLoss;
  program.entry(encoderEntries.evaluate(time), (builder) => ({
    outputs: { ...lossOf(builder, encoder, time) },
  }));
  if (!isContrastive) return;
  program.entry(encoderEntries.embed(time), (builder) => {
    const shape = { batch: options.batchSize, time };
    const inputs = inputsOf(builder, shape);
    const states = statesOf(encoder, inputs, shape);
    return { outputs: { units: toUnit(bert.pool(states, inputs.mask, shape, options.pooling)) } };
  });
}

/** An encoder's program, with entries to measure its objective, and to train when `update` is given. */
export function makeEncoderProgram(
  options: EncoderOptions,
  update?: UpdateOptions,
): { readonly program: Program; readonly weights: ReadonlyMap<string, Variable> } {
  const { config, objective, adapters, times } = options;
  const program = new Program();
  const declared = adapters === undefined ? undefined : declareAdapters(program, adapters);
  const bert = Bert.declare(program, config, {
    guessesWords: objective === 'masked',
    ...(declared === undefined ? {} : { adapters: declared }),
  });
  const weights = new Map(program.variables.map((variable) => [variable.name, variable] as const));
  for (const time of times) addEvaluateEntries(program, { bert, options, isTraining: false }, time);
  if (update !== undefined) {
    const lossOf = objective === 'contrastive' ? contrastiveLoss : maskedLoss;
    addTrainingEntries(
      { program, options: update, weights: weights.values() },
      times.map((time) => ({
        suffix: String(time),
        makeLoss: (builder) => lossOf(builder, { bert, options, isTraining: true }, time),
      })),
    );
  }
  return { program, weights };
}
