/** Feature extraction: what a frozen model has made of a question, and a new head that chooses among known answers. */
import { fitProbe } from '@joyul/metrics';
import type { Answer, Question } from './answer-rows.ts';
import type { LanguageModel } from './open-language-model.ts';
import { encodePrompts } from './prompt-features.ts';
import type { PromptFeatureOptions, PromptFeatures } from './prompt-features.ts';

/** What the new head answered. */
export interface HeadAnswers {
  readonly answers: readonly Answer[];
  readonly secondsPerAnswer: number;
  readonly trainingSeconds: number;
  readonly diskBytes: number;
  /** The layer that features are taken from. */
  readonly layer: number;
  /** Answers that it can give. */
  readonly known: number;
  /** Questions whose right answer is none of these. */
  readonly unknown: number;
}

/** More classes than this, or fewer examples of each, are no choice among known answers. */
const limits = { answers: 200, examplesEach: 3 };

/** The answers that a head can choose among; undefined where the training rows have too many different ones. */
export function findKnownAnswers(expected: readonly string[]): readonly string[] | undefined {
  const known = [...new Set(expected)].sort();
  const isChoice =
    known.length >= 2 &&
    known.length <= limits.answers &&
    known.length * limits.examplesEach <= expected.length;
  return isChoice ? known : undefined;
}

/** Rows of features, with what stands for their answers. */
interface Labelled {
  readonly features: Float32Array;
  readonly labels: readonly number[];
}

const best = (values: readonly number[]): number => values.indexOf(Math.max(...values));

/** How many of the last rows a head gets right that was fitted on the others. */
function countRight({ features, labels }: Labelled, width: number, classes: number): number {
  const cut = Math.ceil(0.8 * labels.length);
  const head = fitProbe(features.subarray(0, cut * width), width, labels.slice(0, cut), classes);
  const answers = head.predict(features.subarray(cut * width));
  return answers.filter((values, row) => best(values) === labels[cut + row]).length;
}

/** Fits a head on the layer that serves best on a fifth of the training rows: label of each question. */
export function answerByHead(
  { width, byLayer }: Pick<PromptFeatures, 'width' | 'byLayer'>,
  labels: readonly number[],
  classes: number,
): { readonly chosen: readonly number[]; readonly layer: number } {
  const split = labels.length * width;
  const right = [...byLayer].map(([layer, features]) => ({
    layer,
    features,
    count: countRight({ features: features.subarray(0, split), labels }, width, classes),
  }));
  const [winner] = right.sort((a, b) => b.count - a.count || b.layer - a.layer);
  if (winner === undefined) throw new Error('Internal error: there are no features.');
  const head = fitProbe(winner.features.subarray(0, split), width, labels, classes);
  return { chosen: head.predict(winner.features.subarray(split)).map(best), layer: winner.layer };
}

/** What a head learns from, and what it is to answer. */
export interface HeadTask {
  readonly shown: readonly Question[];
  readonly questions: readonly Question[];
}

/** Answers by a new head on the features of a model that stays as it is; undefined where the answers are no choice among known ones. */
export async function answerByFeatures(
  language: LanguageModel,
  { shown, questions }: HeadTask,
  options: Omit<PromptFeatureOptions, 'layers'>,
): Promise<HeadAnswers | undefined> {
  const known = findKnownAnswers(shown.map(({ expected }) => expected));
  if (known === undefined) return undefined;
  const { layers, maxPositions } = language.model.config;
  const startMs = performance.now();
  const features = await encodePrompts(language, [...shown, ...questions], {
    ...options,
    layers: [...new Set([0.5, 0.75, 1].map((share) => Math.ceil(share * layers)))],
    context: Math.min(options.context, maxPositions),
  });
  const featuresMs = performance.now();
  const labels = shown.map(({ expected }) => known.indexOf(expected));
  const { chosen, layer } = answerByHead(features, labels, known.length);
  const seconds = (featuresMs - startMs) / 1000 / (shown.length + questions.length);
  return {
    answers: questions.map((question, at) => ({
      ...question,
      text: known[chosen[at] ?? 0] ?? '',
      promptTokens: features.tokens[shown.length + at] ?? 0,
      newTokens: 0,
      ending: 'stop',
    })),
    secondsPerAnswer: seconds,
    trainingSeconds: seconds * shown.length + (performance.now() - featuresMs) / 1000,
    diskBytes: 4 * known.length * (features.width + 1),
    layer,
    known: known.length,
    unknown: questions.filter(({ expected }) => !known.includes(expected)).length,
  };
}
