/** Ways to get answers: tuned models, and prompts for the untuned one. */
import type { Row } from '@joyul/data';
import { makeRandom } from '@joyul/data';
import { answerMetricNames, bootstrapInterval, mean } from '@joyul/metrics';
import type { AnswerMetric, Interval } from '@joyul/metrics';
import { makeAsk, openAnswerer, questionsOf, readPrompt } from '@joyul/training';
import type { Answer, AnswerOptions, Answerer, Ask, Question } from '@joyul/training';
import type { Context } from './context.ts';
import { isCheaper } from './language/cost.ts';
import type { Cost, Price, WayKind } from './language/cost.ts';
import type { Trained } from './language/describe-trained.ts';
import { perturbations } from './perturb.ts';
import { scoreAnswers } from './score-answers.ts';
import type { Scores } from './score-answers.ts';

/** One way to get answers. */
export interface Way {
  readonly name: string;
  readonly kind: WayKind;
  /** Absent for the bare question. */
  readonly ask?: Ask;
  /** Of the examples that it is asked with. */
  readonly diskBytes?: number;
}

/** How alike answers stay when something changes that does not matter. */
export interface Agreement {
  readonly name: string;
  /** Of each question. */
  readonly values: readonly number[];
}

/** A way on the test questions. */
export interface Result {
  readonly way: Way;
  readonly answers: readonly Answer[];
  readonly scores: readonly Scores[];
  /** The metric that judges, of each question. */
  readonly values: readonly number[];
  /** Their mean. */
  readonly score: number;
  readonly interval: Interval;
  readonly cost: Cost;
  /** On the first questions; absent where it was not measured. */
  readonly consistency?: readonly Agreement[];
}

/** What judges answers. */
export type Metric = AnswerMetric | 'grade';
/** What reports call it. */
export const metricNames: Readonly<Record<Metric, string>> = { ...answerMetricNames, grade: 'grade' };

/** Prompts for the untuned model: the bare question, an instruction, similar examples before it. */
export function listPrompts(train: readonly Row[], { params }: Context): readonly Way[] {
  const { instruction, shots } = params;
  const ways: Way[] = [{ name: 'untuned, the bare question', kind: 'prompt' }];
  const prompt = (name: string, ask: Ask, diskBytes: number): void => {
    ways.push({ name: `untuned, ${name}`, kind: 'prompt', ask, diskBytes });
  };
  if (instruction !== '') prompt('with an instruction', makeAsk({ instruction, shots: 0 }), 0);
  if (shots > 0) {
    const examples = questionsOf(train);
    const kept = examples.map(({ messages, expected }) => ({ messages, expected }));
    const ask = makeAsk({ instruction, shots }, examples);
    prompt(`${shots} similar examples`, ask, Buffer.byteLength(JSON.stringify(kept)));
  }
  return ways;
}

/** Scores what a way answered. */
export function makeResult(
  way: Way,
  answers: readonly Answer[],
  cost: Omit<Cost, 'tokensIn' | 'tokensOut'>,
  { metric, seed, params }: Pick<Context, 'seed' | 'params'> & { readonly metric: Metric },
): Result {
  const scores = scoreAnswers(answers, params);
  const values = scores.map((item) => item[metric]);
  const statistic = (rows: readonly number[]): number => mean(rows.map((row) => values[row] ?? 0));
  return {
    way,
    answers,
    scores,
    values,
    score: mean(values),
    interval: bootstrapInterval(values.length, statistic, { random: makeRandom(seed) }),
    cost: {
      ...cost,
      tokensIn: mean(answers.map(({ promptTokens }) => promptTokens)),
      tokensOut: mean(answers.map(({ newTokens }) => newTokens)),
    },
  };
}

/** What a way is cheap or dear by. */
export const priceOf = ({ way, cost }: Result): Price => ({ kind: way.kind, ...cost });

/** The best of results; of equal ones the cheapest. */
export const findBest = (results: readonly Result[]): Result | undefined =>
  results.reduce<Result | undefined>((best, result) => {
    if (best === undefined || result.score > best.score) return result;
    return result.score === best.score && isCheaper(priceOf(result), priceOf(best)) ? result : best;
  }, undefined);

/** Questions are answered again by chance at this temperature, so many times. */
const drawn = { temperature: 0.7, times: 2 };

/** What an asker is told besides the questions. */
type AskOptions = Pick<AnswerOptions, 'ask' | 'sampling'>;

/** Questions that a model on this machine answers at the same time. */
export const answersAtOnce = 16;

/** Asks one model. */
class Asker {
  readonly #answerer: Answerer;
  /** Whether it answers on another machine. */
  readonly #isServed: boolean;
  readonly #context: Context;

  private constructor(answerer: Answerer, isServed: boolean, context: Context) {
    this.#answerer = answerer;
    this.#isServed = isServed;
    this.#context = context;
  }

  static async open(dir: string, context: Context): Promise<Asker> {
    const { params, backend, env, signal } = context;
    const isServed = (await readPrompt(dir))?.endpoint !== undefined;
    const answerer = await openAnswerer(dir, {
      context: params.context,
      env,
      signal,
      ...(isServed ? {} : { batchSize: answersAtOnce }),
      ...(backend === undefined ? {} : { backend }),
    });
    return new Asker(answerer, isServed, context);
  }

  async #ask(name: string, questions: readonly Question[], options: AskOptions): Promise<readonly Answer[]> {
    const { params, emit, signal } = this.#context;
    signal.throwIfAborted();
    return this.#answerer.answer(questions, {
      maxNewTokens: params.max_new_tokens,
      ...options,
      onProgress: (done) => {
        const activity = `answering (${name})`;
        emit({ type: 'progress', activity, done, total: questions.length, unit: 'questions' });
      },
    });
  }

  async judge(way: Way, questions: readonly Question[], metric: Metric, trained?: Trained): Promise<Result> {
    const { seed, params } = this.#context;
    const asked = way.ask === undefined ? {} : { ask: way.ask };
    const lengthOf = ({ row }: Question): number => row.text.length;
    const longest = questions.toSorted((left, right) => lengthOf(right) - lengthOf(left)).slice(0, 1);
    // What is compiled at the first answers is no part of their time.
    if (!this.#isServed) await this.#ask('warming up', longest, asked);
    const startMs = performance.now();
    const answers = await this.#ask(way.name, questions, asked);
    const secondsPerAnswer = (performance.now() - startMs) / 1000 / questions.length;
    const { trainingSeconds, diskBytes } = trained ?? { trainingSeconds: 0, diskBytes: way.diskBytes ?? 0 };
    const took = trainingSeconds === undefined ? {} : { trainingSeconds };
    return makeResult(way, answers, { secondsPerAnswer, diskBytes, ...took }, { metric, seed, params });
  }

  /** How alike answers stay when questions change in ways that do not matter, and when they are drawn. */
  async measureConsistency({ way, answers }: Result, metric: Metric): Promise<readonly Agreement[]> {
    const { seed, params } = this.#context;
    const asked = answers.slice(0, params.consistency_questions);
    const { ask = ({ messages }) => messages } = way;
    const compare = async (name: string, options: AskOptions): Promise<Agreement> => {
      const changed = await this.#ask(name, asked, options);
      const beside = changed.map((answer, at) => ({ ...answer, expected: asked[at]?.text ?? '' }));
      return { name, values: scoreAnswers(beside, params).map((item) => item[metric]) };
    };
    const results: Agreement[] = [];
    for (const { name, apply } of perturbations) {
      const change: Ask = ({ messages }) =>
        messages.map((message, at) =>
          at === messages.length - 1
            ? { ...message, content: apply(message.content, seed + message.content.length) }
            : message,
        );
      results.push(await compare(name, { ask: (question) => ask({ messages: change(question) }) }));
    }
    // A server is asked for the likeliest answer only.
    if (this.#isServed) return results;
    const draws: Agreement[] = [];
    for (let time = 1; time <= drawn.times; time++) {
      const sampling = { temperature: drawn.temperature, seed: (seed + time * 7919) >>> 0 };
      draws.push(await compare('drawing answers', { ask, sampling }));
    }
    const values = asked.map((_, at) => mean(draws.map((draw) => draw.values[at] ?? 0)));
    results.push({ name: `drawn at ${drawn.temperature}`, values });
    return results;
  }

  close(): void {
    this.#answerer.dispose();
  }
}

/** A model, and the ways to ask it. */
interface Contestant {
  readonly dir: string;
  readonly ways: readonly Way[];
  /** Absent for the untuned model. */
  readonly trained?: Trained;
}

/** Answers in each way of one model, and looks at the consistency of the best. */
async function answerIn(
  { dir, ways, trained }: Contestant,
  questions: readonly Question[],
  metric: Metric,
  context: Context,
): Promise<readonly Result[]> {
  const asker = await Asker.open(dir, context);
  try {
    const results: Result[] = [];
    for (const way of ways) results.push(await asker.judge(way, questions, metric, trained));
    const best = findBest(results);
    if (best === undefined) return results;
    const consistency = await asker.measureConsistency(best, metric);
    return results.map((result) => (result === best ? { ...result, consistency } : result));
  } finally {
    asker.close();
  }
}

/** Answers the questions in each way, one model in memory after the other. */
export async function answerAll(
  { trained, prompts }: { readonly trained: readonly Trained[]; readonly prompts: readonly Way[] },
  questions: readonly Question[],
  metric: Metric,
  context: Context,
): Promise<readonly Result[]> {
  const contestants: readonly Contestant[] = [
    ...trained.map((item) => ({
      dir: item.dir,
      ways: [{ name: item.name, kind: item.kind }],
      trained: item,
    })),
    { dir: context.inputs.model, ways: prompts },
  ];
  const results: Result[] = [];
  for (const contestant of contestants)
    results.push(...(await answerIn(contestant, questions, metric, context)));
  return results;
}
