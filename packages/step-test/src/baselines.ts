import type { Backend, StepEvent } from '@joyul/plugin-api';
import type { Row } from '@joyul/data';
import { makeRandom, openTokenizer, shuffle } from '@joyul/data';
import { fitBagOfWords, fitProbe } from '@joyul/metrics';
import { encodeFeatures, encodeRows, openEncoder } from '@joyul/training';

/** Answers of something simpler than the tuned model, as indices into the labels. */
export interface Baseline {
  readonly id: 'majority' | 'bag_of_words' | 'frozen_probe';
  readonly name: string;
  readonly answers: readonly number[];
}

/** What baselines are made from. */
export interface BaselineOptions {
  readonly train: readonly Row[];
  readonly test: readonly Row[];
  readonly labels: readonly string[];
  readonly baseModelDir: string;
  readonly maxLength: number;
  readonly probeRows: number;
  readonly seed: number;
  readonly backend?: Backend;
  readonly signal: AbortSignal;
  readonly emit: (event: StepEvent) => void;
}

const best = (probabilities: readonly number[]): number => probabilities.indexOf(Math.max(...probabilities));

/** Features of the base model as it came, and a linear classifier on them: not fine-tuning. */
async function answerByProbe(options: BaselineOptions): Promise<readonly number[]> {
  const { labels, baseModelDir, maxLength, backend, signal, emit } = options;
  const [model, tokenizer] = await Promise.all([openEncoder(baseModelDir), openTokenizer(baseModelDir)]);
  const train = shuffle(options.train, makeRandom(options.seed)).slice(0, options.probeRows);
  const examples = encodeRows([...train, ...options.test], tokenizer, labels, maxLength);
  const layer = model.config.layers;
  const { width, byLayer } = await encodeFeatures(model, examples, {
    layers: [layer],
    pooling: 'mean',
    padId: tokenizer.padId,
    signal,
    ...(backend === undefined ? {} : { backend }),
    onProgress: (done, total) => {
      emit({ type: 'progress', activity: 'frozen-feature probe', done, total, unit: 'texts' });
    },
  });
  const features = byLayer.get(layer) ?? new Float32Array();
  const split = train.length * width;
  const truth = examples.slice(0, train.length).map((example) => example.label);
  return fitProbe(features.subarray(0, split), width, truth, labels.length)
    .predict(features.subarray(split))
    .map(best);
}

/** All baselines, on the same rows. */
export async function runBaselines(options: BaselineOptions): Promise<readonly Baseline[]> {
  const { train, test, labels } = options;
  const truth = train.map((row) => labels.indexOf(row.label ?? ''));
  const counts = labels.map((_, index) => truth.filter((label) => label === index).length);
  const words = fitBagOfWords(
    train.map((row) => row.text),
    truth,
    labels.length,
  );
  return [
    { id: 'majority', name: `always "${labels[best(counts)] ?? ''}"`, answers: test.map(() => best(counts)) },
    {
      id: 'bag_of_words',
      name: 'bag of words',
      answers: words.predict(test.map((row) => row.text)).map(best),
    },
    {
      id: 'frozen_probe',
      name: 'frozen features and a linear head (not fine-tuning)',
      answers: await answerByProbe(options),
    },
  ];
}
