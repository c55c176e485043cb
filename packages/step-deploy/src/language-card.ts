import { formatP, percent } from '@joyul/metrics';
import type { Prompt, Strategy } from '@joyul/training';
import { formatEndpointUsage, formatPrompt, formatPromptUsage } from './prompt-card.ts';

/** What the model card of a language model tells; every value comes from the run. */
export interface LanguageCard {
  readonly name: string;
  readonly baseModel: string;
  readonly task: 'chat' | 'text';
  readonly source: string;
  readonly splits: Readonly<Record<string, number>>;
  readonly strategy: Strategy;
  readonly trainedShare: number;
  readonly maxLength: number;
  /** Absent where the model is asked bare questions. */
  readonly prompt?: Prompt;
  /** Absent when the model was not tested. */
  readonly test?: {
    readonly perplexity: number;
    readonly base_perplexity: number;
    readonly metric?: string;
    readonly score?: number;
    readonly questions?: number;
    readonly verdict?: string;
    /** Why one would fine-tune, and whether that holds for this data. */
    readonly reasons?: readonly { readonly text: string }[];
    readonly comparisons?: readonly {
      readonly name: string;
      readonly score: number;
      readonly pValue: number;
    }[];
  };
}

const yaml = (text: string): string => JSON.stringify(text);

function formatMaking({ strategy, baseModel, trainedShare, prompt }: LanguageCard): string {
  if (prompt !== undefined) {
    const { endpoint } = prompt;
    const model = endpoint === undefined ? baseModel : `${endpoint.model} (${endpoint.url})`;
    return `Not fine-tuned: no weight of ${model} changed. The prompt below was the best of those that were tried on validation questions.`;
  }
  const { adapters, method, blocks, reason } = strategy;
  if (adapters !== undefined)
    return `Fine-tuned (${adapters.variant}, rank ${adapters.rank}) from ${baseModel}: low-rank adapters beside its frozen weights, ${percent(trainedShare)} of all weights, because ${reason}. The adapters are merged into the weights.`;
  const what = method === 'full' ? 'every block' : blocks.join(', ');
  return `Fine-tuned (${method}) from ${baseModel}: ${what}, ${percent(trainedShare)} of all weights, because ${reason}.`;
}

function formatTest({ test }: LanguageCard): readonly string[] {
  if (test === undefined) return ['This model was not tested on rows that training never saw.'];
  const perplexity = `Perplexity ${test.perplexity.toFixed(2)} on test rows; of the untuned model ${test.base_perplexity.toFixed(2)}.`;
  const { score, metric = '', questions = 0, verdict = '', comparisons = [], reasons = [] } = test;
  if (score === undefined) return [perplexity];
  return [
    perplexity,
    '',
    `| on ${questions} test questions | ${metric} | p |`,
    '| --- | --- | --- |',
    `| this model | ${percent(score)} | |`,
    ...comparisons.map((item) => `| ${item.name} | ${percent(item.score)} | ${formatP(item.pValue)} |`),
    '',
    verdict,
    ...(reasons.length === 0 ? [] : ['', ...reasons.map(({ text }) => `- ${text}`)]),
  ];
}

/** The model card, as Hugging Face's hub reads it. */
export function formatLanguageCard(card: LanguageCard): string {
  const { name, baseModel, task, source, splits, maxLength, prompt } = card;
  const rows = Object.entries(splits)
    .map(([split, count]) => `${split} ${count}`)
    .join(', ');
  const usage =
    task === 'chat'
      ? [
          'messages = [{"role": "user", "content": "a question"}]',
          'inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)',
        ]
      : ['inputs = tokenizer("The start of a text", return_tensors="pt")'];
  const code = [
    ...(prompt === undefined ? [] : ['import json']),
    'from transformers import AutoModelForCausalLM, AutoTokenizer',
    '',
    'tokenizer = AutoTokenizer.from_pretrained(".")',
    'model = AutoModelForCausalLM.from_pretrained(".")',
    ...(prompt === undefined ? usage : [...formatPromptUsage(prompt), ...usage.slice(1)]),
    'output = model.generate(**inputs, max_new_tokens=128, do_sample=False)',
    'print(tokenizer.decode(output[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))',
  ];
  const isElsewhere = prompt?.endpoint !== undefined;
  return [
    '---',
    ...(isElsewhere ? [] : ['library_name: transformers']),
    'pipeline_tag: text-generation',
    ...(isElsewhere ? [] : [`base_model: ${yaml(baseModel)}`]),
    '---',
    '',
    `# ${name}`,
    '',
    '## How it was made',
    '',
    formatMaking(card),
    '',
    `Data: ${source} (${rows} rows).`,
    '',
    ...(prompt === undefined ? [] : formatPrompt(prompt)),
    '## How good it is',
    '',
    ...formatTest(card),
    '',
    '## How to use it',
    '',
    '```python',
    ...(prompt?.endpoint === undefined ? code : formatEndpointUsage(prompt, prompt.endpoint)),
    '```',
    '',
    '## Limits',
    '',
    `It was ${prompt === undefined ? `trained on texts of up to ${maxLength} tokens` : 'prompted'} and measured on rows like its training data only. What it says may be wrong.`,
    '',
  ].join('\n');
}
