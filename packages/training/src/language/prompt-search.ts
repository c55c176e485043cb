import { areShortAnswers, mean, scoreAnswer } from '@joyul/metrics';
import type { PromptSpace } from '../formats.ts';
import type { Answer, Question } from './answer-rows.ts';
import type { Answerer } from './answerer.ts';
import { makeAsk } from './prompt.ts';
import type { PromptExample, PromptSettings } from './prompt.ts';

/** A prompt that was tried. */
export interface PromptTrial extends PromptSettings {
  /** Validation questions that it was asked until it dropped out or won. */
  readonly questions: number;
  /** Mean of the metric over these. */
  readonly score: number;
  /** Means for a question. */
  readonly promptTokens: number;
  readonly newTokens: number;
  /** The last round that it was in, from 1. */
  readonly round: number;
}

/** What a search found. */
export interface PromptSearchResult {
  readonly best: PromptTrial;
  /** All that were tried: those that lasted longest come first, and of equals the better ones. */
  readonly trials: readonly PromptTrial[];
  readonly metric: 'exactMatch' | 'rougeL';
  /** Answers that all rounds took together. */
  readonly answers: number;
}

/** What is searched, by whom, and on what. */
export interface PromptSearchOptions {
  readonly space: PromptSpace;
  readonly answerer: Answerer;
  /** Validation questions in the order in which they are asked. */
  readonly questions: readonly Question[];
  /** Training examples that similar ones are chosen from. */
  readonly examples: readonly PromptExample[];
  readonly onProgress?: (done: number, total: number, best: PromptTrial | undefined) => void;
}

/** Fewer questions tell prompts hardly apart. */
const leastQuestions = 16;

/** Prompts and questions of a round. */
export interface PromptRound {
  readonly prompts: number;
  readonly questions: number;
}

/**
 * Rounds of successive halving (Jamieson and Talwalkar 2016): half as many prompts, twice as many questions. Rounds that
 * would ask the same again are left out.
 */
export function planRounds(prompts: number, questions: number): readonly PromptRound[] {
  const rounds = Math.max(1, Math.ceil(Math.log2(prompts)));
  const planned = Array.from({ length: rounds }, (_, round) => ({
    prompts: Math.ceil(prompts / 2 ** round),
    questions: Math.min(
      questions,
      Math.max(leastQuestions, Math.ceil(questions / 2 ** (rounds - 1 - round))),
    ),
  }));
  return planned.filter(({ questions: count }, round) => count !== planned[round - 1]?.questions);
}

/** The better first; of equals the one that is asked with fewer tokens. */
const compareTrials = (left: PromptTrial, right: PromptTrial): number =>
  right.round - left.round || right.score - left.score || left.promptTokens - right.promptTokens;

/**
 * Tries prompts on validation questions: all of them on few, the better half on twice as many, and so on. Those of a
 * round have been asked the same questions.
 */
export async function searchPrompts(options: PromptSearchOptions): Promise<PromptSearchResult> {
  const { space, answerer, questions: all, examples, onProgress } = options;
  const metric = areShortAnswers(all.map(({ expected }) => expected)) ? 'exactMatch' : 'rougeL';
  const variants = space.shots.flatMap((shots) =>
    space.instructions.map((instruction): PromptSettings => ({ instruction, shots })),
  );
  const rounds = planRounds(variants.length, Math.min(space.questions, all.length));
  const total = rounds.reduce((sum, round) => sum + round.prompts * round.questions, 0);
  let done = 0;
  let best: PromptTrial | undefined;
  const judge = (settings: PromptSettings, round: number, answers: readonly Answer[]): PromptTrial => ({
    ...settings,
    questions: answers.length,
    score: mean(answers.map(({ text, expected }) => scoreAnswer(text, expected)[metric])),
    promptTokens: mean(answers.map(({ promptTokens }) => promptTokens)),
    newTokens: mean(answers.map(({ newTokens }) => newTokens)),
    round,
  });
  const dropped: PromptTrial[] = [];
  let left: readonly PromptSettings[] = variants;
  let trials: readonly PromptTrial[] = [];
  for (const [index, { questions: count }] of rounds.entries()) {
    const questions = all.slice(0, count);
    const judged: PromptTrial[] = [];
    for (const settings of left) {
      const answers = await answerer.answer(questions, {
        maxNewTokens: space.maxNewTokens,
        ask: makeAsk(settings, examples),
        onProgress: (now) => onProgress?.(done + now, total, best),
      });
      done += count;
      judged.push(judge(settings, index + 1, answers));
      best = [...judged].sort(compareTrials)[0];
    }
    trials = judged.sort(compareTrials);
    const kept = rounds[index + 1]?.prompts ?? trials.length;
    dropped.push(...trials.slice(kept));
    left = trials.slice(0, kept).map(({ instruction, shots }) => ({ instruction, shots }));
  }
  const [winner] = trials;
  if (winner === undefined) throw new Error('Internal error: no prompt was tried.');
  const ranked = [...trials, ...dropped].sort(compareTrials);
  return { best: winner, trials: ranked, metric, answers: done };
}
