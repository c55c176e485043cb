/** Ways to get answers: the tuned model, and prompts for the untuned one. */
import type { Row } from '@joyul/data';
import { makeRandom } from '@joyul/data';
import { bootstrapInterval, scoreAnswer } from '@joyul/metrics';
import type { AnswerMetric as Metric, AnswerScores, Interval } from '@joyul/metrics';
import { makeAsk, openAnswerer, questionsOf } from '@joyul/training';
import type { Answer, Answerer, Ask, Question } from '@joyul/training';
import { perturbations } from './perturb.ts';
import type { Context } from './context.ts';

/** One way to get answers: the tuned model, or the untuned one with a prompt. */
export interface Way {
  readonly name: string;
  readonly model: 'tuned' | 'base';
  readonly ask?: Ask;
}

/** A way on the test questions. */
export interface Result {
  readonly way: Way;
  readonly answers: readonly Answer[];
  readonly scores: readonly AnswerScores[];
  /** Mean of the metric that judges. */
  readonly score: number;
  readonly interval: Interval;
  readonly secondsPerAnswer: number;
}

/** The mean; 0 of nothing. */
export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** The tuned model, and prompts for the untuned one: the bare question, an instruction, similar examples before it. */
export function listWays(train: readonly Row[], { params }: Context): readonly Way[] {
  const { instruction, shots } = params;
  const ways: Way[] = [
    { name: 'this model', model: 'tuned' },
    { name: 'untuned, the bare question', model: 'base' },
  ];
  const prompt = (name: string, ask: Ask): void => {
    ways.push({ name: `untuned, ${name}`, model: 'base', ask });
  };
  if (instruction !== '') prompt('with an instruction', makeAsk({ instruction, shots: 0 }));
  if (shots > 0) prompt(`${shots} similar examples`, makeAsk({ instruction, shots }, questionsOf(train)));
  return ways;
}

/** What all ways gave, the tuned model's first. */
export interface Answered {
  readonly results: readonly Result[];
  readonly consistency: readonly { readonly name: string; readonly agreement: number }[];
}

/** Asks one model. */
class Asker {
  readonly #answerer: Answerer;
  readonly #context: Context;

  private constructor(answerer: Answerer, context: Context) {
    this.#answerer = answerer;
    this.#context = context;
  }

  static async open(dir: string, context: Context): Promise<Asker> {
    const { params, backend } = context;
    const settings = { context: params.context, ...(backend === undefined ? {} : { backend }) };
    return new Asker(await openAnswerer(dir, settings), context);
  }

  async ask(name: string, questions: readonly Question[], ask: Ask | undefined): Promise<readonly Answer[]> {
    const { params, emit } = this.#context;
    const activity = `answering (${name})`;
    return this.#answerer.answer(questions, {
      maxNewTokens: params.max_new_tokens,
      ...(ask === undefined ? {} : { ask }),
      onProgress: (done) => {
        emit({ type: 'progress', activity, done, total: questions.length, unit: 'questions' });
      },
    });
  }

  async judge(way: Way, questions: readonly Question[], metric: Metric): Promise<Result> {
    const startMs = performance.now();
    const answers = await this.ask(way.name, questions, way.ask);
    const secondsPerAnswer = (performance.now() - startMs) / 1000 / questions.length;
    const scores = answers.map(({ text, expected }) => scoreAnswer(text, expected));
    const values = scores.map((item) => item[metric]);
    const statistic = (rows: readonly number[]): number => mean(rows.map((row) => values[row] ?? 0));
    const interval = bootstrapInterval(values.length, statistic, { random: makeRandom(this.#context.seed) });
    return { way, answers, scores, score: mean(values), interval, secondsPerAnswer };
  }

  /** How alike answers stay when questions change in ways that do not matter. */
  async measureConsistency({ answers }: Result, metric: Metric): Promise<Answered['consistency']> {
    const results: { name: string; agreement: number }[] = [];
    for (const { name, apply } of perturbations) {
      const changed = await this.ask(name, answers, ({ messages }) =>
        messages.map((message, at) =>
          at === messages.length - 1
            ? { ...message, content: apply(message.content, this.#context.seed + message.content.length) }
            : message,
        ),
      );
      const alike = changed.map(({ text }, at) => scoreAnswer(text, answers[at]?.text ?? '')[metric]);
      results.push({ name, agreement: mean(alike) });
    }
    return results;
  }

  close(): void {
    this.#answerer.dispose();
  }
}

/** Answers the questions in each way, by the model in each folder; each is loaded once. */
export async function answerAll(
  ways: readonly Way[],
  dirs: Readonly<Record<Way['model'], string>>,
  questions: readonly Question[],
  metric: Metric,
  context: Context,
): Promise<Answered> {
  const results: Result[] = [];
  let consistency: Answered['consistency'] = [];
  for (const which of ['tuned', 'base'] as const) {
    const asker = await Asker.open(dirs[which], context);
    try {
      // What is compiled at the first answers is no part of their time.
      await asker.ask('warming up', questions.slice(0, 1), undefined);
      for (const way of ways.filter((item) => item.model === which))
        results.push(await asker.judge(way, questions, metric));
      const [own] = results;
      if (which === 'tuned' && own !== undefined) consistency = await asker.measureConsistency(own, metric);
    } finally {
      asker.close();
    }
  }
  return { results, consistency };
}
