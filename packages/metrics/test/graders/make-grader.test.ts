import { describe, expect, test } from 'vitest';
import { checkGrader, makeGrader, nameGrader } from '../../src/graders/index.ts';
import type { GradedAnswer, GraderSpec } from '../../src/graders/index.ts';

const answerOf = (output: string, reference = 'Refund'): GradedAnswer => ({
  item: { reference_answer: reference, question: 'May I send it back?', id: '7' },
  output,
});

const input = '{{ sample.output_text }}';
const reference = '{{item.reference_answer}}';
const check = (operation: 'eq' | 'ne' | 'like' | 'ilike', other = reference): GraderSpec => ({
  type: 'string_check',
  input,
  reference: other,
  operation,
});

test.each([
  ['eq', 'Refund', 1],
  ['eq', 'refund', 0],
  ['ne', 'refund', 1],
  ['ne', 'Refund', 0],
  ['like', 'A Refund, please', 1],
  ['like', 'a refund, please', 0],
  ['ilike', 'a refund, please', 1],
  ['ilike', 'a return', 0],
] as const)('string_check %s of %j gives %d', (operation, output, score) => {
  expect(makeGrader(check(operation))(answerOf(output))).toEqual({
    score,
    isPassed: score === 1,
    isDefined: true,
  });
});

test('text_similarity passes from its threshold on', () => {
  const spec = { type: 'text_similarity', input, reference, evaluation_metric: 'rouge_1' } as const;
  const grade = makeGrader({ ...spec, pass_threshold: 0.5 });
  expect(grade(answerOf('refund it now'))).toEqual({ score: 0.5, isPassed: true, isDefined: true });
  expect(grade(answerOf('refund it right now'))).toEqual({ score: 0.4, isPassed: false, isDefined: true });
  expect(makeGrader(spec)(answerOf('Refund'))).toEqual({ score: 1, isDefined: true });
});

test('multi computes from the grades of others', () => {
  const grade = makeGrader({
    type: 'multi',
    graders: {
      right: { type: 'string_check', input, reference, operation: 'ilike' },
      near: { type: 'text_similarity', input, reference, evaluation_metric: 'fuzzy_match' },
    },
    calculate_output: '0.5 * right + 0.5 * near',
  });
  expect(grade(answerOf('Refund!')).score).toBeCloseTo(0.5 + 0.5 * (12 / 13), 12);
});

test('a formula that gives no number is 0, and says so', () => {
  const near = { type: 'text_similarity', input, reference, evaluation_metric: 'gleu' } as const;
  const grade = makeGrader({ type: 'multi', graders: { near }, calculate_output: 'log(near)' });
  expect(grade(answerOf('nothing'))).toEqual({ score: 0, isDefined: false });
});

test.each([
  ['{{ item.question }} {{ item.id }}', 'May I send it back? 7'],
  ['[{{ sample.output_json.intent.name }}]', '[refund]'],
  ['{{ sample.output_json.days }}', '5'],
  ['{{ sample.output_json.missing }}', ''],
  ['no hole', 'no hole'],
])('the template %j is filled', (template, text) => {
  const output = JSON.stringify({ intent: { name: 'refund' }, days: 5 });
  const grade = makeGrader({ type: 'string_check', input: template, reference: text, operation: 'eq' });
  expect(grade(answerOf(output)).score).toBe(1);
});

test('an answer that holds a template is not filled', () => {
  const grade = makeGrader(check('eq', '{{ item.reference_answer }}'));
  expect(grade(answerOf('{{ item.reference_answer }}')).score).toBe(0);
});

test.each<[GraderSpec, string]>([
  [check('eq'), 'string_check'],
  [{ type: 'text_similarity', input, reference, evaluation_metric: 'bleu' }, 'bleu'],
  [{ ...check('eq'), name: 'right' }, 'right'],
])('reports call %j %s', (spec, name) => {
  expect(nameGrader(spec)).toBe(name);
});

describe('what cannot be graded by is refused', () => {
  test.each(['score_model', 'label_model', 'python'] as const)('%s, with why', (type) => {
    expect(checkGrader({ type }, ['grader'])).toEqual([
      {
        path: ['grader', 'type'],
        code: 'GRADER_REFUSED',
        message: expect.stringMatching(new RegExp(`^A ${type} grader cannot be had here: .+\\.$`)) as string,
        help: 'Write string_check, text_similarity or multi; they need no other model.',
      },
    ]);
  });

  test('all problems of a grader at once, each with its place', () => {
    const issues = checkGrader(
      {
        type: 'multi',
        graders: {
          'not-a-name': { type: 'string_check', input: '{{ sample.text }}', reference: '', operation: 'eq' },
          far: { type: 'text_similarity', input, reference, evaluation_metric: 'cosine' },
        },
        calculate_output: 'near + far',
      },
      ['grader'],
    );
    expect(issues.map(({ path, message }) => `${path.join('.')}: ${message}`)).toEqual([
      'grader.graders.not-a-name.input: The template names "sample.text", which no row and no answer has.',
      'grader.graders.not-a-name: "not-a-name" cannot stand in a formula.',
      'grader.graders.far.evaluation_metric: The metric cosine cannot be had here: it compares embeddings of a model that OpenAI serves.',
      'grader.calculate_output: There is no grader "near". The formula is "near + far".',
    ]);
  });
});
