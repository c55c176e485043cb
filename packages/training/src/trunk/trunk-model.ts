import { concat, constant, maskedMean, reshape, slice, sub } from '@joyul/compute';
import type { Program, Tensor, Variable } from '@joyul/compute';
import type { JsonValue } from '@joyul/plugin-api';
import { Bert, Llama, attentionBias } from '@joyul/models';
import type { BatchShape, BertConfig, LlamaConfig, ModelFolder, Pooling } from '@joyul/models';

/** The lower layers of a model, in a program. */
export interface TrunkProgram {
  /** What the layers read, by their names in the file. */
  readonly weights: ReadonlyMap<string, Variable>;
  /** Token states [batch·time, hidden] after the embeddings and after each layer, from ids and mask [batch, time]. */
  states(ids: Tensor, mask: Tensor, shape: BatchShape): readonly Tensor[];
}

/** What the frozen lower layers of any model family are to the code that computes and keeps their states. */
export interface TrunkModel {
  readonly hiddenSize: number;
  readonly layers: number;
  readonly maxPositions: number;
  /** The family and every number, besides weights, that decides the states. */
  readonly identity: JsonValue;
  /** Declares the embeddings and the lowest `upTo` layers. */
  declare(program: Program, upTo: number): TrunkProgram;
}

function makeStates(layers: number, first: Tensor, next: (index: number, x: Tensor) => Tensor): Tensor[] {
  const states = [first];
  for (let index = 0; index < layers; index++) states.push(next(index, states[index] ?? first));
  return states;
}

/** The trunk of a BERT encoder. */
export function bertTrunk(config: BertConfig): TrunkModel {
  const { hiddenSize, layers, heads, intermediateSize, layerNormEpsilon, maxPositions } = config;
  return {
    hiddenSize,
    layers,
    maxPositions,
    identity: ['bert', hiddenSize, heads, intermediateSize, layerNormEpsilon],
    declare(program, upTo) {
      const bert = Bert.declare(program, { ...config, layers: upTo });
      return {
        weights: bert.weights,
        states(ids, mask, shape) {
          const bias = attentionBias(mask, shape);
          return makeStates(upTo, bert.embed(ids, shape), (index, x) =>
            bert.layer(index, x, { bias }, shape),
          );
        },
      };
    },
  };
}

/** The trunk of a Llama decoder; its states need no mask, since padding stands on the right. */
export function llamaTrunk(config: LlamaConfig): TrunkModel {
  const { hiddenSize, layers, heads, keyValueHeads, headDim, intermediateSize, maxPositions } = config;
  const shape = [hiddenSize, heads, keyValueHeads, headDim, intermediateSize];
  return {
    hiddenSize,
    layers,
    maxPositions,
    identity: ['llama', ...shape, config.rmsNormEpsilon, config.ropeTheta, { ...config.ropeScaling }],
    declare(program, upTo) {
      const llama = Llama.declare(program, { ...config, layers: upTo });
      return {
        weights: new Map(
          [...llama.weights].filter(([name]) => /^model\.(?:embed_tokens|layers)\./.test(name)),
        ),
        states(ids, _mask, batch) {
          const context = llama.causalContext(batch.time);
          return makeStates(upTo, llama.embed(ids, batch), (index, x) =>
            llama.layer(index, x, context, batch),
          );
        },
      };
    },
  };
}

/** The trunk of an opened model. */
export const trunkOf = (model: ModelFolder): TrunkModel =>
  model.architecture === 'bert' ? bertTrunk(model.config) : llamaTrunk(model.config);

/** How the states of a text's tokens become one: their mean, the first, or the last, which alone has seen all in a decoder. */
export type FeaturePooling = Pooling | 'last';

/** 1 at the last token of each text and 0 elsewhere, from the mask [batch, time] of texts that begin at 0. */
function markLast(mask: Tensor, { batch, time }: BatchShape): Tensor {
  const end = constant(new Float32Array(batch), [batch, 1]);
  return sub(mask, concat([slice(mask, [0, 1], [batch, time - 1]), end], 1));
}

/** Features [batch, hidden] of token states [batch·time, hidden]. */
export function poolStates(states: Tensor, mask: Tensor, shape: BatchShape, pooling: FeaturePooling): Tensor {
  const { batch, time } = shape;
  const width = states.shape[1] ?? 1;
  const grouped = reshape(states, [batch, time, width]);
  if (pooling === 'mean') return maskedMean(grouped, mask);
  if (pooling === 'last') return maskedMean(grouped, markLast(mask, shape));
  return reshape(slice(grouped, [0, 0, 0], [batch, 1, width]), [batch, width]);
}
