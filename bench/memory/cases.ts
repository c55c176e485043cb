import type { Program } from '@joyul/compute';
import { bertBlocks, blockOf } from '@joyul/models';
import type { BertConfig, LlamaConfig } from '@joyul/models';
import { entryNames, languageEntries, makeClassifierProgram, makeLanguageProgram } from '@joyul/training';

/** One program to measure. */
export interface MemoryCase {
  readonly model: 'minilm' | 'llama-135m';
  /** Layers that are trained, from the top; 0 is the forward pass alone, `all` trains the embeddings too. */
  readonly trained: number | 'all';
  readonly batch: number;
  readonly time: number;
  readonly matmul: 'float32' | 'bfloat16';
  readonly checkpointing: boolean;
}

/** all-MiniLM-L6-v2's. */
const miniLm: BertConfig = {
  vocabSize: 30_522,
  hiddenSize: 384,
  layers: 6,
  heads: 12,
  intermediateSize: 1536,
  maxPositions: 512,
  typeVocabSize: 2,
  layerNormEpsilon: 1e-12,
  initializerRange: 0.02,
};

/** SmolLM2-135M's. */
const llama: LlamaConfig = {
  vocabSize: 49_152,
  hiddenSize: 576,
  layers: 30,
  heads: 9,
  keyValueHeads: 3,
  headDim: 64,
  intermediateSize: 1536,
  maxPositions: 8192,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 100_000,
  tiesEmbeddings: true,
  initializerRange: 0.02,
};

/** A case's program, the entry to run, and the range of its token ids. */
export interface BuiltCase {
  readonly program: Program;
  readonly entry: string;
  readonly vocabSize: number;
}

function buildMiniLm(options: MemoryCase): BuiltCase {
  const { trained, batch, time, checkpointing } = options;
  const blocks = new Set(['classifier', ...topBlocks(trained)]);
  const { program } = makeClassifierProgram(
    { config: miniLm, classes: 4, pooling: 'mean', batchSize: batch, times: [time], checkpointing },
    {
      isTrained: (name) => blocks.has(blockOf(name) ?? ''),
      weightDecay: 0.01,
      maxGradNorm: 1,
      labelSmoothing: 0,
    },
  );
  return { program, entry: entryNames.train(time), vocabSize: miniLm.vocabSize };
}

function topBlocks(trained: number | 'all'): readonly string[] {
  const blocks = bertBlocks(miniLm);
  return trained === 'all' ? blocks : blocks.filter((block) => block.startsWith('layer.')).slice(-trained);
}

function buildLlama({ trained, batch, time, checkpointing }: MemoryCase): BuiltCase {
  const isTrained = (name: string): boolean => {
    const layer = /^model\.layers\.(\d+)\./.exec(name)?.[1];
    return trained === 'all' || (layer !== undefined && Number(layer) >= llama.layers - trained);
  };
  const shape = { batch, time };
  const options = { config: llama, shapes: [shape], checkpointing };
  const update = { isTrained, weightDecay: 0.01, maxGradNorm: 1, labelSmoothing: 0 };
  const { program } = makeLanguageProgram(options, trained === 0 ? undefined : update);
  const entry = trained === 0 ? languageEntries.evaluate(shape) : languageEntries.train(shape);
  return { program, entry, vocabSize: llama.vocabSize };
}

/** Builds a case's program. */
export function buildCase(options: MemoryCase): BuiltCase {
  return options.model === 'minilm' ? buildMiniLm(options) : buildLlama(options);
}

/** A case in words. */
export function nameCase({ model, trained, batch, time, matmul, checkpointing }: MemoryCase): string {
  const what = trained === 'all' ? 'full' : trained === 0 ? 'forward' : `top ${trained}`;
  return `${model} ${what} ${batch}×${time} ${matmul === 'float32' ? 'f32' : 'bf16'}${checkpointing ? ' checkpointing' : ''}`;
}
