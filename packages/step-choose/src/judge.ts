import { StepFailure } from '@joyul/plugin-api';
import { makeRandom, shuffle } from '@joyul/data';
import type { Dataset, Row } from '@joyul/data';
import { answerMetricNames, chooseAnswerMetric, scoreAnswer } from '@joyul/metrics';
import { measureRows, openAnswerer, openLanguageModel, openPredictor, questionsOf } from '@joyul/training';
import type { Question } from '@joyul/training';
import type { Context } from './context.ts';
import type { Judgement, Side } from './decide.ts';

/** What judging uses of the step's context. */
export type JudgeContext = Pick<Context, 'params' | 'seed' | 'backend' | 'emit' | 'env' | 'signal'> & {
  readonly inputs: Pick<Context['inputs'], Side>;
};

const sides = ['candidate', 'simpler'] as const;
const names: Readonly<Record<Side, string>> = { candidate: 'the candidate', simpler: 'the simpler model' };

/** The values of both models, one after the other, so that only one is in memory. */
async function measureBoth(
  measure: (dir: string, side: Side) => Promise<readonly number[]>,
  { inputs }: JudgeContext,
): Promise<Judgement['values']> {
  const values: Record<Side, readonly number[]> = { candidate: [], simpler: [] };
  for (const side of sides) values[side] = await measure(inputs[side], side);
  return values;
}

/** What judges written answers cannot judge labels or plain texts. */
function refuseAnswerMetric({ params }: JudgeContext, what: string): void {
  const { metric } = params;
  if (metric === 'auto' || metric === 'loss') return;
  throw new StepFailure('METRIC', `metric: ${metric} judges written answers, but ${what}.`, {
    help: 'Write metric: auto or metric: loss.',
  });
}

async function judgeClassifiers(rows: readonly Row[], context: JudgeContext): Promise<Judgement> {
  refuseAnswerMetric(context, 'the rows of this data set have labels');
  const { params, backend, emit } = context;
  const isLoss = params.metric === 'loss';
  const values = await measureBoth(async (dir, side) => {
    emit({ type: 'progress', activity: `asking ${names[side]}`, done: 0, total: rows.length, unit: 'rows' });
    const predictor = await openPredictor(dir, backend === undefined ? {} : { backend });
    try {
      const predictions = await predictor.predict(rows.map(({ text }) => text));
      return predictions.map(({ label, probabilities }, at) => {
        const wanted = rows[at]?.label ?? '';
        if (!isLoss) return Number(label === wanted);
        return -Math.log(Math.max(1e-15, probabilities[predictor.labels.indexOf(wanted)] ?? 0));
      });
    } finally {
      predictor.dispose();
    }
  }, context);
  return {
    metric: isLoss ? 'mean loss' : 'accuracy',
    unit: 'rows',
    kind: isLoss ? 'loss' : 'share',
    values,
    isRightOrWrong: !isLoss,
  };
}

/** Each row's loss a token: what a model is surprised by. */
async function judgeByLoss(
  rows: readonly Row[],
  unit: Judgement['unit'],
  context: JudgeContext,
): Promise<Judgement> {
  const { params, backend, emit } = context;
  const values = await measureBoth(async (dir, side) => {
    emit({ type: 'progress', activity: `measuring ${names[side]}`, done: 0 });
    const losses = await measureRows(await openLanguageModel(dir), rows, {
      maxLength: params.context,
      ...(backend === undefined ? {} : { backend }),
    });
    return losses.map(({ total, targets }) => total / Math.max(1, targets));
  }, context);
  return { metric: 'mean loss a token', unit, kind: 'loss', values, isRightOrWrong: false };
}

async function judgeAnswers(questions: readonly Question[], context: JudgeContext): Promise<Judgement> {
  const { params, backend, env, signal, emit } = context;
  const metric = chooseAnswerMetric(
    questions.map(({ expected }) => expected),
    params.metric === 'loss' ? 'auto' : params.metric,
  );
  const values = await measureBoth(async (dir, side) => {
    const answerer = await openAnswerer(dir, {
      context: params.context,
      env,
      signal,
      ...(backend === undefined ? {} : { backend }),
    });
    try {
      const answers = await answerer.answer(questions, {
        maxNewTokens: params.max_new_tokens,
        onProgress: (done) => {
          const activity = `asking ${names[side]}`;
          emit({ type: 'progress', activity, done, total: questions.length, unit: 'questions' });
        },
      });
      return answers.map(({ text, expected }) => scoreAnswer(text, expected)[metric]);
    } finally {
      answerer.dispose();
    }
  }, context);
  return {
    metric: answerMetricNames[metric],
    unit: 'questions',
    kind: 'share',
    values,
    isRightOrWrong: metric === 'exactMatch',
  };
}

/** Judges both models on the validation split, row by row. */
export async function judge({ header, rows: read }: Dataset, context: JudgeContext): Promise<Judgement> {
  const { params, seed } = context;
  const all = await read('validation');
  // A source may have its rows in an order that means something.
  const rows = all.length > params.max_rows ? shuffle(all, makeRandom(seed)).slice(0, params.max_rows) : all;
  if (rows.length === 0)
    throw new StepFailure('NO_ROWS', 'The validation split is empty, so nothing can judge.', {
      help: 'Give prepare a share for the validation split.',
    });
  if (header.task === 'classification') return judgeClassifiers(rows, context);
  const questions = questionsOf(rows);
  if (questions.length === 0) {
    refuseAnswerMetric(context, 'the rows of this data set are no questions');
    return judgeByLoss(rows, 'texts', context);
  }
  return params.metric === 'loss'
    ? judgeByLoss(
        questions.map(({ row }) => row),
        'questions',
        context,
      )
    : judgeAnswers(questions, context);
}
