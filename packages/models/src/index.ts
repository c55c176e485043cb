export { Bert, attentionBias } from './bert/bert.ts';
export type { BatchShape, BertDropout, LayerRange, Pooling } from './bert/bert.ts';
export { parseBertConfig } from './bert/bert-config.ts';
export { ModelConfigError } from './model-config.ts';
export type { BertConfig } from './bert/bert-config.ts';
export {
  bertBlocks,
  bertWeightSpecs,
  canonicalName,
  classifierSpecs,
  isMaskedHead,
  maskedHeadSpecs,
} from './bert/bert-weights.ts';
export { blockOf } from './blocks.ts';
export { Llama } from './llama/llama.ts';
export type { AttentionContext } from './llama/llama.ts';
export { LlamaCache, emptyCache } from './llama/llama-cache.ts';
export type { CacheShape } from './llama/llama-cache.ts';
export { parseLlamaConfig } from './llama/llama-config.ts';
export type { LlamaConfig } from './llama/llama-config.ts';
export { llamaBlocks, llamaWeightSpecs } from './llama/llama-weights.ts';
export { openModel, weightSpecsOf } from './model-folder.ts';
export type { BertFolder, LlamaFolder, ModelFolder } from './model-folder.ts';
export { copyTokenizer, readTokenizerFiles } from './tokenizer-files.ts';
export { writeModel } from './write-model.ts';
export type { ModelContent } from './write-model.ts';
export { deriveSeed, drawWeight, makeRandom } from './random-weights.ts';
export { listTensors, openTensors, readTensors, writeTensors } from './safetensors.ts';
export type { StoredTensor } from './safetensors.ts';
export type { LazyTensor, NamedTensor } from './tensors.ts';
export { WeightsError } from './weights-error.ts';
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
export { LayersModel } from './layers-model/layers-model.ts';
export type { LayersModelRange } from './layers-model/layers-model.ts';
export { LayersModelError } from './layers-model/layers-model-error.ts';
export { openLayersModel } from './layers-model/open-layers-model.ts';
export type { LayersModelFile } from './layers-model/open-layers-model.ts';
