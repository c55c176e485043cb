import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadBinding } from '@joyul/compute';
import { writeTinyLlama } from '@joyul/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  answerQuestions,
  defaultHparams,
  drawLanguageAdapter,
  encodeLanguageRows,
  openGenerator,
  openLanguageModel,
  questionsOf,
  trainLanguageModel,
} from '../../src/index.ts';
import type { LanguageModel, LanguageTrainOptions, LanguageTrainResult, Question } from '../../src/index.ts';

const dir = mkdtempSync(join(tmpdir(), 'joyul-samples-'));
let language: LanguageModel;

beforeAll(async () => {
  await writeTinyLlama(dir);
  language = await openLanguageModel(dir);
});
afterAll(() => {
  rmSync(dir, { recursive: true });
});

const backends = loadBinding().isLoaded ? (['cpu', 'tensorflow'] as const) : (['cpu'] as const);
const fastest = backends.at(-1) ?? 'cpu';

const rows = Array.from({ length: 24 }, (_, index) => ({
  id: String(index),
  text: '',
  messages: [
    { role: 'user', content: `n${index * 7}` },
    { role: 'assistant', content: index % 2 === 0 ? 'even' : 'odd' },
  ] as const,
}));
const questions: readonly Question[] = questionsOf(rows.slice(0, 3));

function optionsOf(changes: Partial<LanguageTrainOptions> = {}): LanguageTrainOptions {
  const { examples } = encodeLanguageRows(rows, language.encoder, 64);
  return {
    model: language.model,
    train: examples,
    validation: examples.slice(0, 6),
    strategy: { blocks: language.model.blocks },
    seed: 4,
    backend: fastest,
    hparams: {
      ...defaultHparams('full', 'chat'),
      batch_size: 8,
      learning_rate: 0.01,
      epochs: 2,
      max_length: 64,
    },
    ...changes,
  };
}

const asked = (maxNewTokens = 6): Pick<LanguageTrainOptions, 'samples'> => ({
  samples: { encoder: language.encoder, questions, maxNewTokens },
});

const digest = ({ weights, trainLosses, evaluations }: LanguageTrainResult): unknown => [
  [...weights].map(([name, { data }]) => [
    name,
    Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('base64'),
  ]),
  trainLosses,
  evaluations.map(({ samples: _samples, ...rest }) => rest),
];

test.each([
  ...backends.map((backend) => [backend, 'all weights'] as const),
  [fastest, 'an adapter'] as const,
])('on %s, asking while %s is trained changes not a bit of the result', async (backend, what) => {
  const spec = { variant: 'lora', rank: 4, alpha: 8, targets: ['q_proj', 'down_proj'] } as const;
  const adapter = drawLanguageAdapter(language.model.config, spec, new Map(), 1);
  const options = optionsOf({
    backend,
    ...(what === 'all weights' ? {} : { strategy: { blocks: [] }, adapter }),
  });
  const silent = await trainLanguageModel(options);
  const told = await trainLanguageModel({ ...options, ...asked(3) });
  expect(digest(told)).toEqual(digest(silent));
  expect(told.evaluations.map(({ samples }) => samples?.length)).toEqual([3, undefined, 3, undefined, 3]);
  expect(silent.evaluations.every(({ samples }) => samples === undefined)).toBe(true);
});

test('the answers are those of the weights of that moment', async () => {
  const { evaluations, best, weights } = await trainLanguageModel(optionsOf(asked()));
  const answer = async (own: LanguageTrainResult['weights'] | undefined): Promise<readonly string[]> => {
    const generator = await openGenerator({
      model: language.model,
      backend: fastest,
      batchSize: 3,
      precision: 'float32',
      ...(own === undefined ? {} : { weights: own }),
    });
    const answers = await answerQuestions(generator, language.encoder, questions, { maxNewTokens: 6 });
    generator.dispose();
    return answers.map(({ text }) => text);
  };
  const before = await answer(undefined);
  const after = await answer(weights);
  expect(after).not.toEqual(before);
  expect(evaluations[0]?.samples).toEqual(before);
  expect(best.iteration).toBe(6);
  expect(evaluations.at(-1)?.samples).toEqual(after);
});

test('a run that goes on from a checkpoint keeps what was answered before', async () => {
  const scratchDir = join(dir, 'scratch');
  const whole = await trainLanguageModel(optionsOf(asked()));
  const stop = (): void => {
    throw new Error('The lights went out.');
  };
  const onIteration = ({ iteration }: { readonly iteration: number }): unknown => iteration === 5 && stop();
  const options = optionsOf({ ...asked(), scratchDir });
  await expect(trainLanguageModel({ ...options, onIteration })).rejects.toThrow('The lights went out.');
  const resumed = await trainLanguageModel(options);
  expect(resumed.evaluations).toEqual(whole.evaluations);
});

test('it tells each time what was answered and how long that took', async () => {
  const told: number[] = [];
  const { samples } = asked();
  if (samples === undefined) throw new Error('There is no plan.');
  await trainLanguageModel(
    optionsOf({
      samples: {
        ...samples,
        onAnswers: ({ iteration, answers, seconds }) => {
          expect([answers.length, seconds > 0]).toEqual([3, true]);
          told.push(iteration);
        },
      },
    }),
  );
  // At the start and at the ends of epochs: other evaluations are less than 20 iterations apart.
  expect(told).toEqual([0, 3, 6]);
});

test('within an epoch it is asked after 20 iterations', async () => {
  const told: number[] = [];
  const hparams = { ...optionsOf().hparams, batch_size: 1, epochs: 1, evals_per_epoch: 4 };
  const onAnswers = ({ iteration }: { readonly iteration: number }): void => {
    told.push(iteration);
  };
  const samples = { encoder: language.encoder, questions, maxNewTokens: 1, onAnswers };
  const train = encodeLanguageRows([...rows, ...rows], language.encoder, 64).examples;
  const { evaluations } = await trainLanguageModel(optionsOf({ hparams, samples, train }));
  expect(evaluations.map(({ iteration }) => iteration)).toEqual([0, 12, 24, 36, 48]);
  expect(told).toEqual([0, 24, 48]);
});

test('questions that are too long lose their beginning', async () => {
  const long = questionsOf([
    {
      id: 'long',
      text: '',
      messages: [
        { role: 'user', content: 'q'.repeat(400) },
        { role: 'assistant', content: 'a' },
      ],
    },
  ]);
  const plan = { encoder: language.encoder, questions: long, maxNewTokens: 4 };
  const { evaluations } = await trainLanguageModel(optionsOf({ samples: plan }));
  expect(evaluations[0]?.samples).toHaveLength(1);
});
