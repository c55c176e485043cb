import type { Session } from '@joyul/compute';
import { emptyCache } from '@joyul/models';
import type { CacheShape } from '@joyul/models';
import { answerQuestions } from './answer-rows.ts';
import { makeGenerator } from './generator.ts';
import type { LanguageEvaluation, LanguageTrainOptions, SamplePlan } from './language-options.ts';

const roundTo = 64;

/** Room for the questions of a plan with their answers, all at the same time; undefined where nothing is asked. */
export function planSamples({
  samples,
  model,
  hparams,
}: Pick<LanguageTrainOptions, 'samples' | 'model' | 'hparams'>): CacheShape | undefined {
  if (samples === undefined || samples.questions.length === 0) return undefined;
  const { questions, encoder, maxNewTokens } = samples;
  const longest = Math.max(...questions.map(({ messages }) => encoder.encodePrompt(messages).length));
  const wanted = Math.min(longest, hparams.max_length) + maxNewTokens + 1;
  const context = Math.min(model.config.maxPositions, Math.ceil(wanted / roundTo) * roundTo);
  return { batch: questions.length, context };
}

/** Iterations between answers at least, besides those at the ends of epochs: asking takes about as long as one. */
const leastIterations = 20;

/** Answers to the questions of a plan; undefined where none are due. */
export type Sampler = (
  at: Pick<LanguageEvaluation, 'iteration' | 'epoch'>,
  before: readonly LanguageEvaluation[],
) => Promise<readonly string[] | undefined>;

/** Depends on nothing that is yet to come: a run that goes on from a shorter one has asked at the same moments. */
function isDue(
  { iteration, epoch }: Parameters<Sampler>[0],
  before: readonly LanguageEvaluation[],
  { asksAtStart = true }: SamplePlan,
): boolean {
  if (iteration === 0) return asksAtStart;
  const last = before.findLast(({ samples }) => samples !== undefined)?.iteration ?? 0;
  return Number.isInteger(epoch) || iteration - last >= leastIterations;
}

/**
 * What answers the questions with the weights that a session holds: its program continues texts by the variables that
 * it trains, so that no weight is copied.
 */
export function makeSampler(
  session: Session,
  { samples, model }: Pick<LanguageTrainOptions, 'samples' | 'model'>,
  shape: CacheShape,
): Sampler | undefined {
  if (samples === undefined) return undefined;
  const { encoder, questions, maxNewTokens, onAnswers } = samples;
  const generator = makeGenerator(session, shape, [shape.context]);
  let hasRoom = false;
  return async (at, before) => {
    if (!isDue(at, before, samples)) return undefined;
    const startMs = performance.now();
    if (!hasRoom) await session.write(emptyCache(model.config, shape));
    hasRoom = true;
    const given = await answerQuestions(generator, encoder, questions, { maxNewTokens });
    const answers = given.map(({ text }) => text);
    onAnswers?.({ iteration: at.iteration, answers, seconds: (performance.now() - startMs) / 1000 });
    return answers;
  };
}
