import { Rig, findingsOf, makeChatRows, makeMoodRows, writeTinyBert, writeTinyLlama } from '@joyul/testing';
import type { Finished } from '@joyul/testing';
import { describe, expect, test } from 'vitest';

const steps = `
name: numbers
params: { method: auto, source: chats.jsonl, model: ./tiny }
steps:
  prepare:
    uses: prepare
    with: { source: "\${{ params.source }}", split: { validation: 0.2, test: 0.2 } }
  select:
    uses: select
    with: { candidates: [{ name: tiny, source: "\${{ params.model }}" }] }
    inputs: { dataset: prepare.dataset }
  strategy:
    uses: strategy
    with: { method: "\${{ params.method }}", rank: 8, alpha: 16, blocks: 'top:1' }
    inputs: { dataset: prepare.dataset, model: select.model }
  hparams:
    uses: hparams
    with: { learning_rate: 0.01, epochs: 6 }
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }
  init:
    uses: init
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }
  train:
    uses: train
    inputs: { dataset: prepare.dataset, weights: init.weights, strategy: strategy.strategy, hparams: hparams.hparams }
  evaluate:
    uses: evaluate
    with: { generations: 10, max_new_tokens: 8 }
    inputs: { trained: train.trained, dataset: prepare.dataset }
  test:
    uses: test
    with: { max_questions: 12, max_new_tokens: 8, context: 128, shots: 2, instruction: Say even or odd. }
    inputs: { trained: train.trained, test: prepare.test, dataset: prepare.dataset, model: select.model }
  deploy:
    uses: deploy
    with: { to: models/numbers }
    inputs: { trained: train.trained, metrics: test.metrics, dataset: prepare.dataset, model: select.model }
`;

async function createNumbers(files: Readonly<Record<string, string>> = {}): Promise<Rig> {
  const rig = await Rig.create();
  await rig.write({ 'pipeline.yaml': steps, 'chats.jsonl': makeChatRows(150), ...files });
  await writeTinyLlama(rig.path('tiny'));
  return rig;
}

const failureOf = (result: Finished): unknown =>
  result.events.find((event) => event.kind === 'attempt-failed');

describe('a language model is tuned on conversations', () => {
  test('by adapters, since the data are few, through all nine steps', async () => {
    await using rig = await createNumbers();
    const result = await rig.run();
    expect([result.exitCode, result.stderr]).toEqual([0, '']);
    expect(findingsOf(result, 'select')).toMatch(/Chose tiny \(0\.0 M weights\): it is the only candidate/);
    expect(findingsOf(result, 'strategy')).toContain('LoRA (low-rank adapters beside frozen weights)');
    expect(findingsOf(result, 'init')).toContain('adapters that change nothing yet beside them');
    const [, tuned = '9', before = '0'] =
      /Validation loss ([\d.]+) .*; before training ([\d.]+) /.exec(findingsOf(result, 'train')) ?? [];
    expect(Number(tuned)).toBeLessThan(0.5 * Number(before));
    expect(findingsOf(result, 'evaluate')).toMatch(/Of 10 answers [\d.]+ % are exactly as expected/);
    expect(findingsOf(result, 'test')).toMatch(
      /untuned, 2 similar examples.*untuned, with an instruction|untuned, with an instruction.*untuned, 2 similar examples/,
    );
    expect(findingsOf(result, 'deploy')).toContain('adapter/ is the same model as a PEFT adapter');
    expect(JSON.parse(await rig.read('models/numbers/adapter/adapter_config.json'))).toMatchObject({
      peft_type: 'LORA',
      task_type: 'CAUSAL_LM',
      r: 8,
    });
    expect(await rig.read('models/numbers/README.md')).toMatch(
      /pipeline_tag: text-generation.*\n- Errors mended: /s,
    );
    const served = await rig.joyul('serve', 'models/numbers', '-p', '0');
    expect([served.exitCode, served.stderr]).toEqual([
      2,
      expect.stringContaining(
        'models/numbers holds a language model, and serve answers with classifiers only.',
      ),
    ]);
  });

  test('a second run reuses everything', async () => {
    await using rig = await createNumbers();
    await rig.run('--until', 'train');
    const again = await rig.run('--until', 'train');
    expect([again.ran, again.reused]).toEqual([
      [],
      ['prepare', 'select', 'strategy', 'hparams', 'init', 'train'],
    ]);
  });

  test.each(['full', 'repurpose'])('by method: %s', async (method) => {
    await using rig = await createNumbers();
    const result = await rig.run('-s', `method=${method}`, '--until', 'train');
    expect([result.exitCode, result.stderr]).toEqual([0, '']);
    const trained = method === 'full' ? 'embeddings, layer.0, layer.1, norm' : 'layer.1';
    expect(findingsOf(result, 'train')).toContain(`(${trained}); digests prove that the rest did not move`);
  });
});

test('a language model goes on learning from plain texts', async () => {
  const lines = Array.from({ length: 60 }, (_, index) =>
    JSON.stringify({ text: `Number ${index} comes before ${index + 1}.` }),
  );
  await using rig = await createNumbers({ 'texts.jsonl': lines.join('\n') });
  const result = await rig.run('-s', 'source=texts.jsonl', '-s', 'method=full');
  expect([result.exitCode, result.stderr]).toEqual([0, '']);
  expect(findingsOf(result, 'train')).toMatch(/of which \d+ \(9\d\.\d %\) are learned/);
  expect(findingsOf(result, 'test')).toMatch(
    /Test perplexity, of what the rows are to teach: full fine-tuning [\d.]+, the untuned model [\d.]+.*Topic knowledge: holds/s,
  );
});

test('a stage on unlabelled texts comes before the labelled one', async () => {
  const texts = Array.from({ length: 60 }, (_, index) =>
    JSON.stringify({ text: `n${index * 7} is a number` }),
  );
  const stages = steps
    .replace(
      '{ source: "${{ params.source }}",',
      '{ source: "${{ params.source }}", unlabelled: texts.jsonl,',
    )
    .replace(
      '  init:\n    uses: init\n',
      `  read:
    uses: init
    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }
  reading:
    uses: train
    with: { data: unlabelled }
    inputs: { dataset: prepare.dataset, weights: read.weights, strategy: strategy.strategy, hparams: hparams.hparams }
  init:
    uses: init
`,
    )
    .replace(
      'init\n    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy }\n  train',
      'init\n    inputs: { dataset: prepare.dataset, model: select.model, strategy: strategy.strategy, earlier: reading.trained }\n  train',
    );
  await using rig = await createNumbers({ 'texts.jsonl': texts.join('\n'), 'pipeline.yaml': stages });
  const result = await rig.run('-s', 'method=full', '--until', 'train');
  expect([result.exitCode, result.stderr]).toEqual([0, '']);
  expect(findingsOf(result, 'reading')).toMatch(
    /57 training texts have \d+ tokens, of which \d+ \(9\d\.\d %\) are learned/,
  );
  expect(findingsOf(result, 'init')).toContain('Every layer starts from what an earlier stage trained');
  expect(findingsOf(result, 'train')).toContain('Validation loss');
});

const withGrader = (grader: string): string =>
  steps
    .replace('with: { generations: 10,', `with: { grader: ${grader}, generations: 10,`)
    .replace('with: { max_questions: 12,', `with: { grader: ${grader}, max_questions: 12,`);

describe('answers are judged by a grader', () => {
  test('that computes from others, in evaluate and in test', async () => {
    const grader = `{ type: multi, name: kind, calculate_output: 0.5 * right + 0.5 * near, graders: {
      right: { type: string_check, input: '{{ sample.output_text }}', reference: '{{ item.reference_answer }}', operation: eq },
      near: { type: text_similarity, input: '{{ sample.output_text }}', reference: '{{ item.reference_answer }}', evaluation_metric: fuzzy_match } } }`;
    await using rig = await createNumbers({ 'pipeline.yaml': withGrader(grader) });
    const result = await rig.run('--until', 'test', '--until', 'evaluate');
    expect([result.exitCode, result.stderr]).toEqual([0, '']);
    const [, grade = ''] = /Grade \(kind\) ([\d.]+)\./.exec(findingsOf(result, 'evaluate')) ?? [];
    expect(Number(grade)).toBeGreaterThan(0);
    expect(findingsOf(result, 'evaluate')).toContain('Answers of the lowest grades');
    expect(findingsOf(result, 'test')).toMatch(
      /: grade [\d.]+ % \(95 %: .*"columns":\["","grade","95 % interval"/s,
    );
  });

  test('in trials of learning rates', async () => {
    const grader =
      "{ type: string_check, input: '{{ sample.output_text }}', reference: '{{ item.reference_answer }}', operation: eq }";
    const searching = steps.replace(
      '{ learning_rate: 0.01, epochs: 6 }',
      `{ trials: 2, epochs: 6, grader: ${grader}, grader_tokens: 8 }`,
    );
    await using rig = await createNumbers({ 'pipeline.yaml': searching });
    const result = await rig.run('-s', 'method=full', '--until', 'hparams');
    expect([result.exitCode, result.stderr]).toEqual([0, '']);
    expect(findingsOf(result, 'hparams')).toMatch(
      /the best of 2 learning rates after one epoch on 256 rows, as the grader judges their answers.*"columns":\["learning rate","grade","seconds"\],"rows":\[\["[\d.e-]+",[01]?\.?\d*,/s,
    );
  });

  test('that is checked whole before anything runs', async () => {
    const grader =
      "{ type: text_similarity, input: '{{ sample.output }}', reference: '{{ item.reference_answer }}', evaluation_metric: meteor }";
    await using rig = await createNumbers({ 'pipeline.yaml': withGrader(grader) });
    const { exitCode, stderr } = await rig.joyul('validate');
    expect(exitCode).toBe(2);
    expect(stderr.match(/ error .*|help: .*/g)).toEqual(
      ['evaluate', 'test'].flatMap((step) => [
        ` error ${step}/GRADER_TEMPLATE  The template names "sample.output", which no row and no answer has.`,
        'help: There are item.reference_answer, item.question, item.id, sample.output_text, sample.output_json.FIELD.',
        ` error ${step}/GRADER_REFUSED  The metric meteor cannot be had here: it looks synonyms up in WordNet, an English dictionary that is not part of Joyul.`,
        'help: Write rouge_l, gleu, bleu or fuzzy_match.',
      ]),
    );
  });

  test.each([
    [
      '{ type: string_chek, input: a }',
      '"grader.type" must be one of "string_check", "text_similarity", "multi", "score_model", "label_model" or "python", but is "string_chek".',
    ],
    [
      '{ type: multi, calculate_output: a, graders: { a: { type: multi } } }',
      '"grader.graders.a.type" must be one of "string_check", "text_similarity", "score_model", "label_model" or "python", but is "multi".',
    ],
    [
      '{ type: label_model, model: large }',
      'A label_model grader cannot be had here: a model of OpenAI would give the label.',
    ],
  ])('whose type is wrong: %s', async (grader, message) => {
    await using rig = await createNumbers({ 'pipeline.yaml': withGrader(grader) });
    const { exitCode, stderr } = await rig.joyul('validate');
    expect([exitCode, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});

test('while it learns, a language model answers questions that are kept', async () => {
  await using rig = await createNumbers();
  const result = await rig.run('--until', 'train');
  expect(findingsOf(result, 'train')).toMatch(
    /It answered 3 validation questions 7 times, which took [\d.]+ s, [\d.]+ % of the training/,
  );
  const { stdout: report } = await rig.joyul('show');
  expect(report).toMatch(/<\|user\|>n\d+<\|end\|>\n<\|assistant\|>⟦(?:even|odd)<\|end\|>⟧/);
  expect(report).toMatch(/\*\*Asked "n\d+" while it learns\*\*[^*]*\| expected \| (?:even|odd) \|/);
});

describe('what cannot be learned is refused', () => {
  test('conversations by an encoder', async () => {
    await using rig = await createNumbers();
    await writeTinyBert(rig.path('encoder'));
    const result = await rig.run('-s', 'model=./encoder', '--until', 'select');
    expect(result.exitCode).toBe(1);
    expect(failureOf(result)).toMatchObject({
      failure: {
        code: 'NOT_A_DECODER',
        message: 'The model is an encoder (bert), but learning conversations and texts needs a decoder.',
      },
    });
  });

  test('labels by a decoder', async () => {
    await using rig = await createNumbers({ 'rows.csv': makeMoodRows(60) });
    const result = await rig.run('-s', 'source=rows.csv', '--until', 'select');
    expect(result.exitCode).toBe(1);
    expect(failureOf(result)).toMatchObject({ failure: { code: 'NOT_AN_ENCODER' } });
  });

  test('a new head on features of a language model', async () => {
    await using rig = await createNumbers();
    const result = await rig.run('-s', 'method=extract', '--until', 'strategy');
    expect(failureOf(result)).toMatchObject({
      failure: {
        code: 'NO_FEATURES',
        message: 'method: extract trains a new head, and a language model gets none.',
      },
    });
  });

  test.each([
    ['by a template that leaves replies out', { template: 'hello' }, []],
    ['in texts that are cut before the reply', {}, ['--set', 'max_length=8']],
  ])('rows of which nothing is learned, %s', async (_, options, flags) => {
    await using rig = await createNumbers({
      'pipeline.yaml': steps
        .replace('params: { method: auto,', 'params: { max_length: 64, method: lora,')
        .replace('{ learning_rate: 0.01,', '{ learning_rate: 0.01, max_length: "${{ params.max_length }}",'),
      'chats.jsonl': makeChatRows(60).replaceAll('"n', '"a longer question about n'),
    });
    await writeTinyLlama(rig.path('tiny'), options);
    const result = await rig.run(...flags, '--until', 'train');
    expect(result.exitCode).toBe(1);
    expect(failureOf(result)).toMatchObject({
      failure: {
        code: 'NOTHING_TO_LEARN',
        message: expect.stringMatching(/^None of 36 rows has a token to learn among its first \d+\.$/),
      },
    });
  });

  test('replies that the chat template rewrites later', async () => {
    await using rig = await createNumbers({
      'chats.jsonl': Array.from({ length: 30 }, (_, index) =>
        JSON.stringify({
          messages: [
            { role: 'user', content: `a${index}` },
            { role: 'assistant', content: `b${index}` },
            { role: 'user', content: `c${index}` },
            { role: 'assistant', content: `d${index}` },
          ],
        }),
      ).join('\n'),
    });
    // It shows earlier replies in brackets.
    const template =
      "{% for message in messages %}<|{{ message['role'] }}|>{% if loop.last %}{{ message['content'] }}{% else %}[{{ message['content'] }}]{% endif %}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";
    await writeTinyLlama(rig.path('tiny'), { template });
    const result = await rig.run('--until', 'select');
    expect(result.exitCode).toBe(1);
    expect(failureOf(result)).toMatchObject({
      failure: {
        code: 'CHAT_TEMPLATE',
        message: expect.stringContaining("do not fit the model's chat template"),
      },
    });
  });
});
