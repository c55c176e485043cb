/**
 * The encoder that PyTorch's numbers in pytorch-reference.json are for. To make them anew:
 *
 *   node packages/training/test/encoder/tiny-encoder.ts FOLDER
 *   python packages/training/test/encoder/make_reference.py FOLDER > packages/training/test/encoder/pytorch-reference.json
 */
import { bertWeightSpecs, drawWeight, maskedHeadSpecs, parseBertConfig, writeModel } from '@joyul/models';

const rawConfig = {
  architectures: ['BertForMaskedLM'],
  model_type: 'bert',
  vocab_size: 40,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 32,
  max_position_embeddings: 16,
  initializer_range: 0.3,
};

/** Writes it; with `guessesWords: false` without the head for masked words. */
export async function writeTinyEncoder(dir: string, { guessesWords = true } = {}): Promise<void> {
  const config = parseBertConfig(rawConfig);
  const specs = [...bertWeightSpecs(config), ...(guessesWords ? maskedHeadSpecs(config) : [])];
  // No zeros and ones, so that every weight makes a difference.
  const tensors = specs.map((spec) => {
    const { data, ...drawn } = drawWeight({ ...spec, init: 'normal' }, config.initializerRange, 3);
    return { ...drawn, data: spec.init === 'ones' ? data.map((value) => 1 + value) : data };
  });
  await writeModel(dir, { rawConfig, tensors, tokenizerFrom: dir });
}

const [, script, dir] = process.argv;
if (script === import.meta.filename && dir !== undefined) await writeTinyEncoder(dir);
