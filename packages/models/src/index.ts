export { Bert, attentionBias } from './bert/bert.ts';
export type { BatchShape, Pooling } from './bert/bert.ts';
export { ModelConfigError, parseBertConfig } from './bert/bert-config.ts';
export type { BertConfig } from './bert/bert-config.ts';
export { bertBlocks, bertWeightSpecs, blockOf, canonicalName, classifierSpecs } from './bert/bert-weights.ts';
export { Llama } from './llama/llama.ts';
export type { AttentionContext } from './llama/llama.ts';
export type { LlamaConfig } from './llama/llama-config.ts';
export { llamaWeightSpecs } from './llama/llama-weights.ts';
export { copyTokenizer, openModel, writeModel } from './model-folder.ts';
export type { ModelContent, ModelFolder } from './model-folder.ts';
export { deriveSeed, drawWeight, makeRandom } from './random-weights.ts';
export { WeightsError, listTensors, readTensors, writeTensors } from './safetensors.ts';
export type { NamedTensor, StoredTensor } from './safetensors.ts';
export type { WeightSpec } from './weight-specs.ts';
export { ModelWeights } from './model-weights.ts';
export type { LayerAdapter } from './model-weights.ts';
export {
  AdapterError,
  adapterNames,
  isAdapterName,
  lowestAdaptedBlock,
  planAdapters,
} from './adapters/adapter-plan.ts';
export type { AdaptedLayer, AdapterPlan, AdapterSpec } from './adapters/adapter-plan.ts';
export { adapterWeightSpecs, declareAdapters, drawAdapters } from './adapters/adapter-weights.ts';
export { AdapterMerger } from './adapters/merge-adapters.ts';
export { parsePeftConfig, readAdapter, writeAdapter } from './adapters/peft-files.ts';
export type { Adapter, WriteAdapterOptions } from './adapters/peft-files.ts';
