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

/** Problems that make a `config.json` unusable, each a sentence. */
export class ModelConfigError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(`config.json does not describe a model that can be tuned here: ${problems.join(' ')}`);
    this.name = 'ModelConfigError';
    this.problems = problems;
  }
}

/** Reads the fields of a BERT `config.json`, and refuses what would be computed wrongly. */
export function parseBertConfig(json: Readonly<Record<string, unknown>>): BertConfig {
  const problems: string[] = [];
  const number = (key: string, fallback?: number): number => {
    const value = json[key] ?? fallback;
    if (typeof value === 'number' && value > 0) return value;
    problems.push(`"${key}" must be a positive number, but is ${JSON.stringify(value)}.`);
    return 1;
  };
  const mustBe = (key: string, allowed: readonly unknown[]): void => {
    if (!allowed.includes(json[key]))
      problems.push(
        `"${key}" is ${JSON.stringify(json[key])}; only ${allowed
          .filter((value) => value !== undefined)
          .map((value) => JSON.stringify(value))
          .join(', ')} is supported.`,
      );
  };
  mustBe('model_type', ['bert']);
  mustBe('hidden_act', ['gelu', undefined]);
  mustBe('position_embedding_type', ['absolute', undefined]);
  const config: BertConfig = {
    vocabSize: number('vocab_size'),
    hiddenSize: number('hidden_size'),
    layers: number('num_hidden_layers'),
    heads: number('num_attention_heads'),
    intermediateSize: number('intermediate_size'),
    maxPositions: number('max_position_embeddings', 512),
    typeVocabSize: number('type_vocab_size', 2),
    layerNormEpsilon: number('layer_norm_eps', 1e-12),
    initializerRange: number('initializer_range', 0.02),
  };
  if (config.hiddenSize % config.heads !== 0)
    problems.push('"hidden_size" must be a multiple of "num_attention_heads".');
  if (problems.length > 0) throw new ModelConfigError(problems);
  return config;
}
