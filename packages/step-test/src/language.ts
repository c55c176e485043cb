import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Row } from '@joyul/data';
import { makeRandom, readDataset, shuffle } from '@joyul/data';
import { chooseAnswerMetric, holmAdjust, mean, percent, smallestDetectable } from '@joyul/metrics';
import { answerByFeatures, openLanguageModel, questionsOf } from '@joyul/training';
import type { Question } from '@joyul/training';
import { StepFailure } from '@joyul/plugin-api';
import type { Context } from './context.ts';
import { decide } from './language/decide.ts';
import type { Decision } from './language/decide.ts';
import { listTrained } from './language/describe-trained.ts';
import type { Trained } from './language/describe-trained.ts';
import { describeLosses, judgeTexts, measureAll, tellLosses } from './language/losses.ts';
import type { AllLosses } from './language/losses.ts';
import { comparePaired } from './language/paired.ts';
import { judgeCapability, judgeConsistency, judgeErrors } from './language/reasons.ts';
import type { Reason } from './language/reasons.ts';
import {
  describeBreakEven,
  describeScore,
  findBestPrompt,
  tellConsistency,
  tellCost,
  tellQuality,
} from './language/tell.ts';
import type { Comparison } from './language/tell.ts';
import { tellOpenings } from './openings.ts';
import { answerAll, findBest, listPrompts, makeResult, metricNames, priceOf } from './ways.ts';
import type { Metric, Result } from './ways.ts';

/** A grader judges where there is one. Short answers are right or wrong; longer ones are more or less alike. */
function chooseMetric(questions: readonly Question[], { metric, grader }: Context['params']): Metric {
  if (grader !== undefined) return 'grade';
  return chooseAnswerMetric(
    questions.map(({ expected }) => expected),
    metric,
  );
}

/** The tested model beside each other way. */
function compare(own: Result, others: readonly Result[], seed: number): readonly Comparison[] {
  const paired = others.map(({ values }) => comparePaired(own.values, values, seed));
  const adjusted = holmAdjust(paired.map(({ pValue }) => pValue));
  return others.map((other, at) => ({
    ...other,
    paired: paired[at] ?? comparePaired([], [], seed),
    pValue: adjusted[at] ?? 1,
  }));
}

/** What a new head on frozen features answers, where answers are a choice, and what it cannot do. */
async function answerFrozen(
  train: readonly Row[],
  questions: readonly Question[],
  metric: Metric,
  context: Context,
): Promise<{ readonly results: readonly Result[]; readonly notes: readonly string[] }> {
  if (metric !== 'exactMatch') return { results: [], notes: [] };
  const { params, inputs, seed, backend, signal, emit } = context;
  const shown = shuffle(questionsOf(train), makeRandom(seed)).slice(0, params.probe_rows);
  const task = { shown, questions };
  const head = await answerByFeatures(await openLanguageModel(inputs.model), task, {
    context: params.context,
    signal,
    ...(backend === undefined ? {} : { backend }),
    onProgress: (done, total) => {
      emit({ type: 'progress', activity: 'frozen features', done, total, unit: 'questions' });
    },
  });
  if (head === undefined) return { results: [], notes: [] };
  const { answers, known, unknown, layer, ...cost } = head;
  const note = `The new head reads what layer ${layer} of the untuned model has made of the question's end. It chooses among the ${known} answers of the training rows and can say nothing else${unknown === 0 ? '' : `: ${unknown} of ${questions.length} questions have another answer, and it gets them all wrong`}.`;
  const way = { name: 'frozen features + new head (not fine-tuning)', kind: 'features' } as const;
  return {
    results: [makeResult(way, answers, cost, { metric, seed, params })],
    notes: [note],
  };
}

/** What is known of a tuned model, a prompt and the questions. */
interface Evidence {
  readonly results: readonly Result[];
  /** The best tuned model; absent where nothing was tuned. */
  readonly tuned: Result | undefined;
  readonly knowledge: Reason | undefined;
}

/** How alike a way's answers stay, of each question. */
const agreementOf = ({ consistency = [] }: Result): readonly number[] =>
  (consistency[0]?.values ?? []).map((_, row) => mean(consistency.map(({ values }) => values[row] ?? 0)));

/** The four reasons; none where nothing was tuned. */
function judgeReasons({ results, tuned, knowledge }: Evidence, seed: number): readonly Reason[] {
  const prompts = results.filter(({ way }) => way.kind === 'prompt');
  const prompt = findBest(prompts);
  if (tuned === undefined || prompt === undefined) return [];
  const { name } = prompt.way;
  const all = prompts.map(({ values }) => values);
  return [
    judgeConsistency(agreementOf(tuned), { name, agreement: agreementOf(prompt) }, seed),
    judgeCapability(tuned.values, all, seed),
    ...(knowledge === undefined ? [] : [knowledge]),
    judgeErrors(tuned.values, { name, values: prompt.values }, seed),
  ];
}

/** What was found, as metrics.json has it. Times are left out: they are never the same twice. */
function describeAnswers(found: Found, metric: Metric) {
  const { own, comparisons, decision, reasons } = found;
  const describe = ({ way, score, interval, cost }: Result) => ({
    name: way.name,
    kind: way.kind,
    score,
    interval,
    tokens_in: cost.tokensIn,
    tokens_out: cost.tokensOut,
    disk_bytes: cost.diskBytes,
  });
  return {
    metric: metricNames[metric],
    ...describe(own),
    exact_match: mean(own.scores.map(({ exactMatch }) => exactMatch)),
    f1: mean(own.scores.map(({ f1 }) => f1)),
    rouge_l: mean(own.scores.map(({ rougeL }) => rougeL)),
    ...(metric === 'grade' ? { grade: own.score } : {}),
    questions: own.answers.length,
    best_prompt: findBestPrompt([own, ...comparisons])?.score ?? null,
    verdict: decision.text,
    decision: { is_worth_it: decision.isWorthIt ?? null, best: decision.best, choice: decision.choice },
    reasons,
    comparisons: comparisons.map(({ paired, pValue, ...result }) => ({
      ...describe(result),
      gain: paired.gain,
      gainInterval: paired.gainInterval,
      pValue,
      mended: paired.better,
      broken: paired.worse,
    })),
    consistency: (own.consistency ?? []).map(({ name, values }) => ({ name, agreement: mean(values) })),
  };
}

/** What came out of the questions. */
interface Found {
  readonly own: Result;
  readonly comparisons: readonly Comparison[];
  /** The best tuned model. */
  readonly tuned: Result | undefined;
  readonly decision: Decision;
  readonly reasons: readonly Reason[];
  /** What else is to be said. */
  readonly notes: readonly string[];
}

function tell(context: Context, found: Found, metric: Metric): void {
  const { emit } = context;
  const { own, comparisons, tuned, decision, reasons, notes } = found;
  const results = [own, ...comparisons];
  const prompt = findBestPrompt(results);
  emit({ type: 'finding', weight: 'headline', text: `${decision.text} ${describeScore(own, metric)}` });
  for (const { text } of reasons) emit({ type: 'finding', text });
  if (tuned !== undefined && prompt !== undefined)
    emit({ type: 'finding', text: describeBreakEven(tuned, prompt) });
  for (const text of notes) emit({ type: 'finding', text });
  const points = (100 * smallestDetectable(own.answers.length)).toFixed(1);
  emit({
    type: 'finding',
    text: `Differences below about ${points} points would not show on ${own.answers.length} questions. p: ${metric === 'exactMatch' ? 'exact McNemar test' : 'signs flipped at random'}, corrected by Holm. The cheapest way trains least (nothing, a head, weights), then has least to keep besides the base model, then needs fewest tokens a request.`,
  });
  tellQuality(context, own, comparisons, metric);
  tellCost(context, results, prompt);
  tellConsistency(context, results);
}

function checkGate(own: Result, metric: Metric, { min_accuracy: least }: Context['params']): void {
  if (own.score >= least) return;
  const message = `Its ${metricNames[metric]} ${percent(own.score)} is below min_accuracy ${percent(least)}.`;
  throw new StepFailure('GATE', 'The gate refuses this model.', {
    problems: [{ message }],
    help: 'Improve the model, or change the gate in the pipeline.',
  });
}

/** Answers in all ways, and judges. */
async function judgeAll(
  questions: readonly Question[],
  trained: readonly Trained[],
  { losses, metric }: { readonly losses: AllLosses; readonly metric: Metric },
  context: Context,
): Promise<Found> {
  const { inputs, seed } = context;
  const train = await (await readDataset(inputs.dataset)).rows('train');
  const asked = await answerAll(
    { trained, prompts: listPrompts(train, context) },
    questions,
    metric,
    context,
  );
  const frozen = await answerFrozen(train, questions, metric, context);
  const results = [...asked, ...frozen.results];
  const [own, ...others] = results;
  if (own === undefined) throw new Error('Internal error: nobody answered.');
  const tuned = findBest(results.filter(({ way }) => way.kind === 'tuned'));
  const dir = trained.find(({ name }) => name === tuned?.way.name)?.dir;
  const knowledge = dir === undefined ? undefined : judgeTexts(losses, dir, context);
  return {
    own,
    comparisons: compare(own, others, seed),
    tuned,
    decision: decide(
      results.map((result) => ({ name: result.way.name, values: result.values, price: priceOf(result) })),
      seed,
    ),
    reasons: judgeReasons({ results, tuned, knowledge }, seed),
    notes: frozen.notes,
  };
}

/** Tests a language model on sealed conversations or texts, beside its rivals and prompts for the untuned one. */
export async function testLanguage(rows: readonly Row[], openings: number, context: Context): Promise<void> {
  const { params, inputs, outputs, emit, sharedDir } = context;
  const trained = await listTrained([inputs.trained, ...(inputs.rivals ?? [])], sharedDir);
  const losses = await measureAll(trained, rows, context);
  const write = (content: unknown): Promise<void> =>
    writeFile(join(outputs.metrics, 'metrics.json'), `${JSON.stringify(content, null, 2)}\n`);
  tellOpenings(context, openings);
  const questions = questionsOf(rows).slice(0, params.max_questions);
  if (questions.length === 0) {
    const reason = judgeTexts(losses, inputs.trained, context);
    await write({ ...describeLosses(losses, context), reasons: reason === undefined ? [] : [reason] });
    tellLosses(trained, losses, context);
    if (reason !== undefined) emit({ type: 'finding', text: reason.text });
    return;
  }
  const metric = chooseMetric(questions, params);
  const found = await judgeAll(questions, trained, { losses, metric }, context);
  await write({ ...describeLosses(losses, context), ...describeAnswers(found, metric) });
  const results = [found.own, ...found.comparisons];
  const lines = questions.map(({ row, expected }, at) => {
    const answers = results.map(({ way, answers: given }) => [way.name, given[at]?.text ?? ''] as const);
    return `${JSON.stringify({ id: row.id, expected, answers: Object.fromEntries(answers) })}\n`;
  });
  await writeFile(join(outputs.metrics, 'answers.jsonl'), lines.join(''));
  tell(context, found, metric);
  tellLosses(trained, losses, context);
  checkGate(found.own, metric, params);
}
