import type { WeightSpec } from '../weight-specs.ts';
import type { BertConfig } from './bert-config.ts';

const linearSpecs = (name: string, outputs: number, inputs: number): readonly WeightSpec[] => [
  { name: `${name}.weight`, shape: [outputs, inputs], init: 'normal' },
  { name: `${name}.bias`, shape: [outputs], init: 'zeros' },
];

const normSpecs = (name: string, width: number): readonly WeightSpec[] => [
  { name: `${name}.weight`, shape: [width], init: 'ones' },
  { name: `${name}.bias`, shape: [width], init: 'zeros' },
];

function layerSpecs(index: number, config: BertConfig): readonly WeightSpec[] {
  const { hiddenSize: width, intermediateSize: inner } = config;
  const layer = `encoder.layer.${index}`;
  return [
    ...linearSpecs(`${layer}.attention.self.query`, width, width),
    ...linearSpecs(`${layer}.attention.self.key`, width, width),
    ...linearSpecs(`${layer}.attention.self.value`, width, width),
    ...linearSpecs(`${layer}.attention.output.dense`, width, width),
    ...normSpecs(`${layer}.attention.output.LayerNorm`, width),
    ...linearSpecs(`${layer}.intermediate.dense`, inner, width),
    ...linearSpecs(`${layer}.output.dense`, width, inner),
    ...normSpecs(`${layer}.output.LayerNorm`, width),
  ];
}

/** Every weight of an encoder, in the order of the forward pass. */
export function bertWeightSpecs(config: BertConfig): readonly WeightSpec[] {
  const width = config.hiddenSize;
  return [
    { name: 'embeddings.word_embeddings.weight', shape: [config.vocabSize, width], init: 'normal' },
    { name: 'embeddings.position_embeddings.weight', shape: [config.maxPositions, width], init: 'normal' },
    { name: 'embeddings.token_type_embeddings.weight', shape: [config.typeVocabSize, width], init: 'normal' },
    ...normSpecs('embeddings.LayerNorm', width),
    ...Array.from({ length: config.layers }, (_, index) => layerSpecs(index, config)).flat(),
  ];
}

/** The head that turns pooled features into one logit a class. */
export function classifierSpecs(config: BertConfig, classes: number): readonly WeightSpec[] {
  return linearSpecs('classifier', classes, config.hiddenSize);
}

const maskedHead = 'cls.predictions';

/** Whether a weight, by its canonical name, is one of the head that guesses masked words. */
export const isMaskedHead = (name: string): boolean => name.startsWith(`${maskedHead}.`);

/** The head that guesses masked words; its last product is with the word embeddings (Devlin et al. 2019). */
export function maskedHeadSpecs({ hiddenSize: width, vocabSize }: BertConfig): readonly WeightSpec[] {
  return [
    ...linearSpecs(`${maskedHead}.transform.dense`, width, width),
    ...normSpecs(`${maskedHead}.transform.LayerNorm`, width),
    { name: `${maskedHead}.bias`, shape: [vocabSize], init: 'zeros' },
  ];
}

/** The blocks of an encoder from the input to the head: what `blocks:` in a strategy can name. */
export function bertBlocks(config: BertConfig): readonly string[] {
  return [
    'embeddings',
    ...Array.from({ length: config.layers }, (_, index) => `layer.${index}`),
    'classifier',
  ];
}

/** The oldest files call a norm's scale and shift so. */
const oldNames: Readonly<Record<string, string>> = { gamma: 'weight', beta: 'bias' };

/** A weight's name in the encoder, from its name in a file: some files put `bert.` in front. */
export const canonicalName = (name: string): string =>
  name
    .replace(/^bert\./, '')
    .replace(/\.LayerNorm\.(gamma|beta)$/, (_, old: string) => `.LayerNorm.${oldNames[old] ?? old}`);
