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
  /** Whether the head is the embedding table. */
  readonly tiesEmbeddings: boolean;
  /** Standard deviation of newly drawn weights. */
  readonly initializerRange: number;
}
