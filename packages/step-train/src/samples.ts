/** What a language model answers while it learns. */
import { percent } from '@joyul/metrics';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LanguageEncoder, Row } from '@joyul/data';
import { questionsOf } from '@joyul/training';
import type { LanguageEvaluation, LanguageTrainResult, Question, SamplePlan } from '@joyul/training';
import type { Context } from './common.ts';

/** Answers of which the report shows this many characters. */
const shownCharacters = 400;
/** The same of a question in a title. */
const titleCharacters = 64;
/** Moments of which answers are shown; all are in samples.jsonl. */
const mostMoments = 4;

const inLine = (text: string, most = shownCharacters): string => {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
};

const askedOf = ({ messages }: Question): string => messages.at(-1)?.content ?? '';

/** Asks the same few validation questions again and again, and tells the answers. */
export class SampleWatch {
  readonly #context: Pick<Context, 'params' | 'emit'>;
  readonly #questions: readonly Question[];
  #seconds = 0;
  #times = 0;

  constructor(context: Pick<Context, 'params' | 'emit'>, validation: readonly Row[]) {
    this.#context = context;
    this.#questions = questionsOf(validation).slice(0, context.params.samples);
  }

  /** What training has to know; nothing where nothing is asked. */
  plan(encoder: LanguageEncoder): { readonly samples?: SamplePlan } {
    const { params, emit } = this.#context;
    const questions = this.#questions;
    if (questions.length === 0) return {};
    const onAnswers: SamplePlan['onAnswers'] = ({ iteration, answers, seconds }) => {
      this.#seconds += seconds;
      this.#times++;
      const [first] = questions;
      if (first !== undefined)
        emit({
          type: 'log',
          level: 'info',
          message: `after ${iteration} iterations, asked "${inLine(askedOf(first))}": "${inLine(answers[0] ?? '')}"`,
        });
    };
    return { samples: { encoder, questions, maxNewTokens: params.sample_tokens, onAnswers } };
  }

  /** Tells the answers, and what they took of the seconds of the whole training. */
  tell({ evaluations, best }: LanguageTrainResult, trainingSeconds: number): void {
    const { emit } = this.#context;
    const count = this.#questions.length;
    if (count === 0) return;
    if (this.#times > 0)
      emit({
        type: 'finding',
        text: `It answered ${count === 1 ? 'a validation question' : `${count} validation questions`} ${this.#times} times, which took ${this.#seconds.toFixed(1)} s, ${percent(this.#seconds / trainingSeconds)} of the training; all answers are in samples.jsonl.`,
      });
    for (const [index, question] of this.#questions.entries())
      emit({
        type: 'table',
        title: `Asked "${inLine(askedOf(question), titleCharacters)}" while it learns`,
        columns: ['after', 'answer'],
        rows: [...listAnswers(evaluations, index, best.iteration), ['expected', inLine(question.expected)]],
      });
  }

  /** Writes every answer. */
  async write(dir: string, { evaluations }: LanguageTrainResult): Promise<void> {
    if (this.#questions.length === 0) return;
    const lines = evaluations.flatMap(({ iteration, epoch, samples = [] }) =>
      this.#questions.map((question, index) => {
        const { row, expected } = question;
        const answer = samples[index];
        const line = { iteration, epoch, id: row.id, question: askedOf(question), expected, answer };
        return answer === undefined ? '' : `${JSON.stringify(line)}\n`;
      }),
    );
    await writeFile(join(dir, 'samples.jsonl'), lines.join(''));
  }
}

/** Evaluations one after the other that gave the same answer. */
interface Moment {
  readonly from: number;
  readonly to: number;
  readonly answer: string;
  readonly isKept: boolean;
}

/** Answers to one question with when they were given; of many the first, the last, the kept one, and some between. */
function listAnswers(
  evaluations: readonly LanguageEvaluation[],
  index: number,
  kept: number,
): readonly (readonly [string, string])[] {
  const moments: Moment[] = [];
  for (const { iteration, samples } of evaluations) {
    const answer = samples?.[index];
    if (answer === undefined) continue;
    const isKept = iteration === kept;
    const last = moments.at(-1);
    if (last?.answer === answer)
      moments[moments.length - 1] = { ...last, to: iteration, isKept: last.isKept || isKept };
    else moments.push({ from: iteration, to: iteration, answer, isKept });
  }
  const step = (moments.length - 1) / (mostMoments - 1);
  const even = Array.from({ length: mostMoments }, (_, at) => Math.round(at * step));
  return moments
    .filter(({ isKept }, at) => moments.length <= mostMoments || isKept || even.includes(at))
    .map(({ from, to, answer, isKept }) => [
      `${from === to ? from : `${from} – ${to}`}${isKept ? ' (kept)' : ''}`,
      inLine(answer),
    ]);
}
