import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bertWeightSpecs, drawWeight, llamaWeightSpecs } from '@joyul/models';
import type { BertConfig, LlamaConfig, NamedTensor, WeightSpec } from '@joyul/models';
import { bertTrunk, llamaTrunk } from '../../src/index.ts';
import type { TrunkModel } from '../../src/index.ts';

const drawAll = (specs: readonly WeightSpec[], seed: number): ReadonlyMap<string, NamedTensor> =>
  new Map(specs.map((spec) => [spec.name, drawWeight(spec, 0.3, seed)]));

const bertConfig: BertConfig = {
  vocabSize: 50,
  hiddenSize: 8,
  layers: 3,
  heads: 2,
  intermediateSize: 16,
  maxPositions: 64,
  typeVocabSize: 2,
  layerNormEpsilon: 1e-12,
  initializerRange: 0.02,
};

const llamaConfig: LlamaConfig = {
  vocabSize: 50,
  hiddenSize: 8,
  layers: 3,
  heads: 4,
  keyValueHeads: 2,
  headDim: 2,
  intermediateSize: 16,
  maxPositions: 64,
  rmsNormEpsilon: 1e-5,
  ropeTheta: 1e4,
  tiesEmbeddings: true,
  initializerRange: 0.02,
};

/** A small model of each family with random weights. */
export const tinyModels: Readonly<
  Record<'BERT' | 'Llama', (seed: number) => { trunk: TrunkModel; weights: ReadonlyMap<string, NamedTensor> }>
> = {
  BERT: (seed) => ({ trunk: bertTrunk(bertConfig), weights: drawAll(bertWeightSpecs(bertConfig), seed) }),
  Llama: (seed) => ({
    trunk: llamaTrunk(llamaConfig),
    weights: drawAll(llamaWeightSpecs(llamaConfig), seed),
  }),
};

/** Texts of some lengths, all different. */
export const makeTexts = (lengths: readonly number[]): readonly { readonly ids: Int32Array }[] =>
  lengths.map((length, text) => ({
    ids: Int32Array.from({ length }, (_, position) => 1 + ((7 * text + 3 * position) % 49)),
  }));

/** A folder that is gone again after the test. */
export class TemporaryFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'joyul-trunk-'));

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
