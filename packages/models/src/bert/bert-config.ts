import { ConfigReader } from '../model-config.ts';

/** What a BERT encoder looks like: the fields of Hugging Face's `config.json` that matter here. */
export interface BertConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly intermediateSize: number;
  readonly maxPositions: number;
  readonly typeVocabSize: number;
  readonly layerNormEpsilon: number;
  /** Standard deviation of newly drawn weights. */
  readonly initializerRange: number;
}

/** Reads the fields of a BERT `config.json`, and refuses what would be computed wrongly. */
export function parseBertConfig(json: Readonly<Record<string, unknown>>): BertConfig {
  const fields = new ConfigReader(json);
  fields.mustBe('model_type', ['bert']);
  fields.mustBe('hidden_act', ['gelu', undefined]);
  fields.mustBe('position_embedding_type', ['absolute', undefined]);
  const config: BertConfig = {
    vocabSize: fields.number('vocab_size'),
    hiddenSize: fields.number('hidden_size'),
    layers: fields.number('num_hidden_layers'),
    heads: fields.number('num_attention_heads'),
    intermediateSize: fields.number('intermediate_size'),
    maxPositions: fields.number('max_position_embeddings', 512),
    typeVocabSize: fields.number('type_vocab_size', 2),
    layerNormEpsilon: fields.number('layer_norm_eps', 1e-12),
    initializerRange: fields.number('initializer_range', 0.02),
  };
  if (config.hiddenSize % config.heads !== 0)
    fields.problems.push('"hidden_size" must be a multiple of "num_attention_heads".');
  fields.finish();
  return config;
}
