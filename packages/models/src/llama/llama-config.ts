import { ConfigReader } from '../model-config.ts';
import { parseRopeScaling } from './rope-frequencies.ts';
import type { RopeScaling } from './rope-frequencies.ts';

/** What a Llama-family decoder looks like: the fields of Hugging Face's `config.json` that matter here. */
export interface LlamaConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  /** Heads of keys and values; each serves heads / keyValueHeads queries (Ainslie et al. 2023). */
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly intermediateSize: number;
  readonly maxPositions: number;
  readonly rmsNormEpsilon: number;
  /** The base θ of rotary positions. */
  readonly ropeTheta: number;
  /** How rotary positions are stretched beyond the lengths of pretraining; absent means that they are not. */
  readonly ropeScaling?: RopeScaling;
  /** Whether the head is the embedding table. */
  readonly tiesEmbeddings: boolean;
  /** Standard deviation of newly drawn weights. */
  readonly initializerRange: number;
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Rotary positions as transformers 5 writes them, or as 4 did. */
function readRope(json: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const parameters = json['rope_parameters'];
  if (isRecord(parameters)) return { rope_theta: json['rope_theta'], ...parameters };
  const scaling = json['rope_scaling'];
  return { ...(isRecord(scaling) ? scaling : {}), rope_theta: json['rope_theta'] };
}

/** Reads the fields of a Llama or Mistral `config.json`, and refuses what would be computed wrongly. */
export function parseLlamaConfig(json: Readonly<Record<string, unknown>>, source?: string): LlamaConfig {
  const fields = new ConfigReader(json);
  fields.mustBe('model_type', ['llama', 'mistral']);
  fields.mustBe('hidden_act', ['silu', undefined]);
  fields.mustBe('attention_bias', [false, null, undefined]);
  fields.mustBe('mlp_bias', [false, null, undefined]);
  fields.mustBe('sliding_window', [null, undefined]);
  fields.mustBe('quantization_config', [null, undefined]);
  const hiddenSize = fields.number('hidden_size');
  const heads = fields.number('num_attention_heads');
  const rope = readRope(json);
  const ropeFields = new ConfigReader(rope);
  const ropeTheta = ropeFields.number('rope_theta', 10_000);
  ropeFields.mustBe('partial_rotary_factor', [1, null, undefined]);
  const ropeScaling = parseRopeScaling(rope, ropeFields);
  fields.problems.push(...ropeFields.problems);
  const config: LlamaConfig = {
    vocabSize: fields.number('vocab_size'),
    hiddenSize,
    layers: fields.number('num_hidden_layers'),
    heads,
    keyValueHeads: fields.number('num_key_value_heads', heads),
    headDim: fields.number('head_dim', hiddenSize / heads),
    intermediateSize: fields.number('intermediate_size'),
    maxPositions: fields.number('max_position_embeddings', 2048),
    rmsNormEpsilon: fields.number('rms_norm_eps', 1e-6),
    ropeTheta,
    ...(ropeScaling === undefined ? {} : { ropeScaling }),
    tiesEmbeddings: json['tie_word_embeddings'] === true,
    initializerRange: fields.number('initializer_range', 0.02),
  };
  if (heads % config.keyValueHeads !== 0)
    fields.problems.push('"num_attention_heads" must be a multiple of "num_key_value_heads".');
  if (config.headDim % 2 !== 0)
    fields.problems.push(`The heads have ${config.headDim} numbers; rotary positions need an even count.`);
  fields.finish(source);
  return config;
}
